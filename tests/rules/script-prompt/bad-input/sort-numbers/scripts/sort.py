name = input("Name? ")
