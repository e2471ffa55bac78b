"""Asks STS who it is again and again with one client, until its credentials were renewed as often as the argument says."""

import os
import sys
import time

import boto3

session = boto3.Session(profile_name=next(filter(None, sys.argv[2:]), None))
client = session.client("sts")
seen = {}
with open(os.environ["WITNESSED"], "a", encoding="utf-8") as noted:
    while len(seen) <= int(sys.argv[1]):
        arn = client.get_caller_identity()["Arn"]
        frozen = session.get_credentials().get_frozen_credentials()
        if frozen.access_key not in seen:
            print(frozen.secret_key, frozen.token, sep="\n", file=noted)
        seen[frozen.access_key] = arn
        time.sleep(0.2)
print(session.get_credentials().method, *sorted(set(seen.values())))
