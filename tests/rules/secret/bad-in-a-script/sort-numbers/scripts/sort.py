TOKEN = "hf_QwErTyUiOpZmXnCvB7YtRjKlPgHfDwSq9V"
