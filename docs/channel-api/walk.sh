#!/usr/bin/env bash
# The channel by API with curl and openssl alone: DESK is the desk's address, APP the app, API_SECRET its secret.
#
#     DESK=http://127.0.0.1:8080 APP=sample API_SECRET=whsec_… bash walk.sh
set -euo pipefail

# The bytes that the secret stands for, in hexadecimal.
key=$(printf %s "${API_SECRET#whsec_}" | base64 -d | od -An -v -tx1 | tr -d ' \n')

# post PATH ID BODY: signed; prints status and answer.
post() {
    local at signature
    at=$(date +%s)
    signature=$(printf %s "$2.$at.$3" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | base64)
    # --retry: what is answered 503 or 429 is brought again, under the same id.
    curl --silent --show-error --max-time 30 --retry 5 --write-out ' %{http_code}\n' \
        --header "Content-Type: application/json" \
        --header "webhook-id: $2" --header "webhook-timestamp: $at" --header "webhook-signature: v1,$signature" \
        --data-binary "$3" "$DESK/api/v1/apps/$APP$1"
}

run=$(date +%s%N) # ids are new at every walk

echo "A customer writes:"
hello='{"type": "message", "contact": {"id": "walk-1", "name": "Ann", "language": "en"}, "text": "Hello"}'
post /events "hello-$run" "$hello"

echo "The same again, as after a lost answer: it is recorded once."
post /events "hello-$run" "$hello"

echo "A file, and a message with it:"
file=$(post /files "file-$run" "{\"content\": \"$(printf 'a bill' | base64)\"}" | sed -n 's/.*"file": *"\([^"]*\)".*/\1/p')
post /events "bill-$run" "{\"type\": \"message\", \"contact\": {\"id\": \"walk-1\"}, \"text\": \"My bill\",
    \"files\": [{\"file\": \"$file\", \"name\": \"bill.txt\", \"media_type\": \"text/plain\"}]}"

echo "Other words for it, and then it is taken back:"
post /events "edit-$run" "{\"type\": \"edit\", \"contact\": {\"id\": \"walk-1\"}, \"message\": \"bill-$run\", \"text\": \"The bill\"}"
post /events "delete-$run" "{\"type\": \"delete\", \"contact\": {\"id\": \"walk-1\"}, \"message\": \"bill-$run\"}"

echo "The desk writes first:"
post /notices "notice-$run" '{"to": {"contact": "walk-1"}, "topic": "suspicious_login",
    "text": {"en": "Somebody signed in to your account from a new phone.", "zh": "有新手机登录了您的账号。"}}'

echo "A receipt for a message that the desk never sent is refused:"
post /events "receipt-$run" '{"type": "receipt", "contact": {"id": "walk-1"}, "message": "no-such", "status": "read"}'

echo "What is refused says why:"
post /events "wrong-$run" '{"type": "message", "contact": {"id": "walk-1"}, "txt": "Hello"}'
