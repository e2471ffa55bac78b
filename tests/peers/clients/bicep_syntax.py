"""Fails where a Bicep file does not fit the grammar; prints the texts of its literal strings as JSON."""

import json
import sys

import tree_sitter
import tree_sitter_bicep

source = open(sys.argv[1], "rb").read()
language = tree_sitter.Language(tree_sitter_bicep.language())
tree = tree_sitter.Parser(language).parse(source)
strings = []


def visit(node):
    if node.type == "ERROR" or node.is_missing:
        sys.exit(f"line {node.start_point[0] + 1}: {node.type} {node.text!r}")
    if node.type == "interpolation":
        sys.exit(f"line {node.start_point[0] + 1}: an expression inside a text: {node.text!r}")
    if node.type == "string":
        strings.append(node.text.decode())
    for child in node.children:
        visit(child)


visit(tree.root_node)
json.dump(strings, sys.stdout)
