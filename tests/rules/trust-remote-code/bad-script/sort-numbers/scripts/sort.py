load = print
load("m", trust_remote_code=True)
