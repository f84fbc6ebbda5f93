class Form:
    def input(self): ...


Form().input()
print("input()")
