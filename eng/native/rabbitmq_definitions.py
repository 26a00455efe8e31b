"""Writes RabbitMQ's definitions file from FLURRTY_RABBITMQ_USERS ("user:password user:password")."""

import base64
import hashlib
import json
import os
import re
import sys

# MassTransit declares exchanges named after message types and queues named after commands and consumers, and senders declare what they
# send to, so a service needs everything on its virtual host. The one who only asks whether the broker works gets queues that the broker names.
PERMISSIONS = {"readiness": {"configure": r"^amq\.gen-.*$", "write": r"^(amq\.gen-.*|amq\.default)$", "read": r"^amq\.gen-.*$"}}
SERVICE = {"configure": ".*", "write": ".*", "read": ".*"}


def password_hash(password: str, salt: bytes) -> str:
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def main(path: str) -> int:
    users = []
    for entry in os.environ["FLURRTY_RABBITMQ_USERS"].replace(",", " ").split():
        name, colon, password = entry.partition(":")
        if not colon or not password or not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            print("rabbitmq: each entry of FLURRTY_RABBITMQ_USERS is name:password, the name of a-z, 0-9 and -.", file=sys.stderr)
            return 1
        users.append((name, password))
    definitions = {
        "vhosts": [{"name": "/"}],
        "users": [
            {"name": name, "password_hash": password_hash(password, os.urandom(4)), "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ""}
            for name, password in users
        ],
        "permissions": [{"user": name, "vhost": "/", **PERMISSIONS.get(name, SERVICE)} for name, _ in users],
    }
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(definitions, file, indent=2)
    os.replace(path + ".new", path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
