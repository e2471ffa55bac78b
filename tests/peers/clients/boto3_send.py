"""Sends one operation of STS by boto3: its name is the argument, its parameters come as JSON on stdin."""

import json
import sys

import boto3

getattr(boto3.client("sts"), sys.argv[1])(**json.load(sys.stdin))
