import numpy
import yaml

if __name__ == "__main__":
    print(numpy, yaml)
