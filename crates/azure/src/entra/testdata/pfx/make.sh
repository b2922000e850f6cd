#!/bin/sh
# Makes the files of this directory anew, with OpenSSL 3. No test runs it.
set -eu
cd "$(dirname "$0")"
openssl req -x509 -newkey rsa:2048 -nodes -days 36500 -subj "/CN=podid test issuer" -keyout issuer.key -out issuer.crt
openssl req -newkey rsa:2048 -nodes -subj "/CN=podid test only" -keyout app.key -out app.csr
printf 'basicConstraints=CA:FALSE\n' > app.ext
openssl x509 -req -in app.csr -CA issuer.crt -CAkey issuer.key -CAcreateserial -days 36500 -extfile app.ext -out app.crt
pfx() { openssl pkcs12 -export -inkey app.key -in app.crt -certfile issuer.crt "$@"; }
pfx -passout pass:s3cret -out modern.pfx
pfx -passout pass:s3cret -legacy -out legacy.pfx
pfx -passout pass:s3cret -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -out des.pfx
pfx -passout pass: -out open.pfx
openssl pkcs12 -export -nokeys -in app.crt -passout pass:s3cret -out no-key.pfx
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=podid test curve" \
  -keyout curve.key -out curve.crt
openssl pkcs12 -export -inkey curve.key -in curve.crt -passout pass:s3cret -out curve.pfx
cat curve.key curve.crt > curve.pem
openssl x509 -in app.crt -outform der | openssl dgst -sha256 -binary | basenc --base64url | tr -d = > sha256.txt
mv app.crt app.pem
rm -f ./*.key ./*.csr ./*.crt ./*.srl ./*.ext
