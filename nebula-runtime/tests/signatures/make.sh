#!/usr/bin/env bash
# Makes the vectors of this folder with openssl, in the formats that cosign and Sigstore document. Keys and signatures
# are new each time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

manifest=$(printf 'a manifest' | sha256sum | cut -d' ' -f1)
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.key
openssl genpkey -algorithm Ed25519 -out ed25519.key
for key in p256 ed25519; do openssl pkey -in $key.key -pubout -out $key.pub; done

# sign KEY FILE: the signature in base64. openssl hashes for P-256, and Ed25519 signs the bytes as they are.
sign() {
  case $1 in
    p256) openssl dgst -sha256 -sign p256.key "$2" ;;
    ed25519) openssl pkeyutl -sign -rawin -inkey ed25519.key -in "$2" ;;
  esac | base64 -w0
}

# cosign's SIGNATURE_SPEC.md: the payload of simple signing, and its signature, which is an annotation.
printf '{"critical":{"identity":{"docker-reference":"shop"},"image":{"docker-manifest-digest":"sha256:%s"},"type":"cosign container image signature"},"optional":null}' \
  "$manifest" >payload.json
for key in p256 ed25519; do sign $key payload.json >payload.$key.sig; done

# A Sigstore bundle: an in-toto statement in a DSSE envelope. Signed are its type and its bytes, each after its length.
statement='{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"shop","digest":{"sha256":"'$manifest'"},"annotations":{"nebula.version":"3"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}'
type=application/vnd.in-toto+json
printf 'DSSEv1 %d %s %d %s' ${#type} $type ${#statement} "$statement" >pae.bin
for key in p256 ed25519; do
  hint=$(openssl pkey -pubin -in $key.pub -outform DER | openssl dgst -sha256 -binary | base64 -w0)
  printf '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":"%s"}},"dsseEnvelope":{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s"}]}}' \
    "$hint" "$(printf %s "$statement" | base64 -w0)" "$type" "$(sign $key pae.bin)" >bundle.$key.json
done
rm pae.bin

# Files that are no key that Nebula reads.
openssl ec -in p256.key -out sec1.key 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key
openssl pkey -in p384.key -pubout -out p384.pub
openssl pkcs8 -topk8 -in p256.key -passout pass:secret -out encrypted.key
openssl req -x509 -key p256.key -subj /CN=team -days 36500 -out certificate.pem
