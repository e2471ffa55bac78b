"""Who boto3 is, with the credentials that it finds by itself; notes their secrets for the test."""

import os
import sys

import boto3

session = boto3.Session(profile_name=next(filter(None, sys.argv[1:]), None))
credentials = session.get_credentials()
frozen = credentials.get_frozen_credentials()
with open(os.environ["WITNESSED"], "a", encoding="utf-8") as noted:
    print(frozen.secret_key, frozen.token, sep="\n", file=noted)
print(credentials.method, session.region_name, session.client("sts").get_caller_identity()["Arn"])
