import ast
import base64

print(base64.b64decode("eA=="), ast.literal_eval("1"), eval("1 + 1"))
