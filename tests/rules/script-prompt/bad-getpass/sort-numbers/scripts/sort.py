import getpass

token = getpass.getpass()
