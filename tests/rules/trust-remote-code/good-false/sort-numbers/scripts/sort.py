load = print
load("m", trust_remote_code=False)
# trust_remote_code=True would run its code
