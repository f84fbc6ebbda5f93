FORM = 'form.json'
