"""Reads an HCL file with python-hcl2, which fails where it does not fit the grammar."""

import sys

import hcl2

with open(sys.argv[1]) as file:
    found = hcl2.load(file)
print(" ".join(sorted(found)))
