"""Sends one signed S3 request (signature version 4) and prints the status, then the body: s3_request.py METHOD URL ACCESS_KEY SECRET [BODY]."""

import datetime
import hashlib
import hmac
import sys
import urllib.error
import urllib.parse
import urllib.request

REGION = "us-east-1"


def sign(method, url, access_key, secret, body):
    parts = urllib.parse.urlsplit(url)
    time = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    headers = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": time}
    names = ";".join(headers)
    canonical = "\n".join([method, parts.path, parts.query, *(f"{name}:{value}" for name, value in headers.items()), "", names, digest])
    scope = f"{time[:8]}/{REGION}/s3/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    return {**headers, "authorization": f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"}


def main(method, url, access_key, secret, body=""):
    data = body.encode()
    request = urllib.request.Request(url, data or None, sign(method, url, access_key, secret, data), method=method)
    # What is asked is on this machine, whatever proxy leads out of it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as response:
            print(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        print(error.code, error.read().decode())


if __name__ == "__main__":
    main(*sys.argv[1:])
