"""What counts as an answer to an OCSP question (RFC 6960 §3.2, §4.2).

Laws: an answer is about the very certificate that was asked for, by name *and* key of its CA. It is signed by that CA's
key, or by a responder that this key certified for it: one level, never further. Nothing weak, stale or from the future
proves anything; an error status is signed by nobody, so it changes nothing.
"""

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import SignatureAlgorithmOID

from policies.peer.certificate import Certificate, certificate_from_der
from policies.peer.errors import CertificateError, OcspError
from policies.peer.foreign import survivable, words
from policies.peer.limits import MAX_OCSP_BYTES, MAX_OCSP_CERTIFICATES, OCSP_AGE_SECONDS, OCSP_AHEAD_SECONDS
from policies.peer.ocsp import OcspAnswer, OcspQuestion, OcspStatus
from policies.peer.signature import Signature

_STATUS = {
    ocsp.OCSPCertStatus.GOOD: OcspStatus.GOOD,
    ocsp.OCSPCertStatus.REVOKED: OcspStatus.REVOKED,
    ocsp.OCSPCertStatus.UNKNOWN: OcspStatus.UNKNOWN,
}
_ECDSA = frozenset(
    {
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
    }
)
_RSA = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
    }
)
_PURE = frozenset({SignatureAlgorithmOID.ED25519, SignatureAlgorithmOID.ED448})
#: Hashes of a CertID. It is a look-up key, so SHA-1 does: what it points at is settled by serial number and signature.
_CERT_ID_HASHES = frozenset({"sha1", "sha256", "sha384", "sha512"})


def answer_from_response(data: bytes, question: OcspQuestion, nonce: bytes | None, now: float) -> OcspAnswer:
    """Read and verify what a responder sent at `now`, epoch seconds. `nonce`: that of the request. Raises OcspError."""
    if len(data) > MAX_OCSP_BYTES:
        raise OcspError(f"the OCSP response has {len(data)} bytes, at most {MAX_OCSP_BYTES} are read")
    try:
        return _answer(ocsp.load_der_ocsp_response(data), question, nonce, now)
    except OcspError:
        raise
    except BaseException as error:
        if not survivable(error):
            raise
        raise OcspError(f"not a readable OCSP response: {words(error)}") from error


def _answer(response: ocsp.OCSPResponse, question: OcspQuestion, nonce: bytes | None, now: float) -> OcspAnswer:
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise OcspError(f"the responder refuses to answer: {response.response_status.name.lower()}")
    delegate = _signer(response, question, now)
    _check_nonce(response, nonce)
    _check_certificate(response, question)
    status = _STATUS[response.certificate_status]
    this_update, end = _dates(response, delegate)
    skew = question.source.clock_skew
    if status is not OcspStatus.REVOKED:
        # What is revoked is revoked, whenever that was said.
        if this_update > now + max(skew, OCSP_AHEAD_SECONDS):
            raise OcspError("its thisUpdate is in the future; compare the clocks of responder and this machine")
        if end + skew < now:
            raise OcspError("it is stale: its nextUpdate, or the most that one without nextUpdate counts for, is past")
    return OcspAnswer(
        status,
        this_update,
        min(this_update, now),
        end,
        status is OcspStatus.REVOKED and response.revocation_reason is not x509.ReasonFlags.certificate_hold,
        None if delegate is None else delegate.identity.serial,
    )


def _check_certificate(response: ocsp.OCSPResponse, question: OcspQuestion) -> None:
    """The CertID names the certificate that was asked for, and nothing critical changes what is said of it."""
    algorithm = response.hash_algorithm
    if algorithm.name not in _CERT_ID_HASHES:
        raise OcspError(f"its CertID is made with {algorithm.name.upper()}")
    asked = (question.serial, *question.hashes(algorithm))
    if (response.serial_number, response.issuer_name_hash, response.issuer_key_hash) != asked:
        raise OcspError("it is about another certificate")
    for item in (*response.extensions, *response.single_extensions):
        if item.critical and not isinstance(item.value, x509.OCSPNonce):
            raise OcspError(f"it has the unknown critical extension {item.oid.dotted_string}")


def _check_nonce(response: ocsp.OCSPResponse, nonce: bytes | None) -> None:
    if nonce is None:
        return
    found = [item.value.nonce for item in response.extensions if isinstance(item.value, x509.OCSPNonce)]
    if found != [nonce]:
        kind = "repeats another nonce" if found else "has no nonce; take `nonce` out for a responder that sends none"
        raise OcspError(f"it {kind}")


def _dates(response: ocsp.OCSPResponse, delegate: Certificate | None) -> tuple[float, float]:
    """thisUpdate, and until when the answer counts: not beyond the life of the responder that signed it."""
    this_update = response.this_update_utc.timestamp()
    next_update = response.next_update_utc
    end = this_update + OCSP_AGE_SECONDS if next_update is None else next_update.timestamp()
    if end < this_update:
        raise OcspError("its nextUpdate is before its thisUpdate")
    return this_update, end if delegate is None else min(end, delegate.not_after)


def _signer(response: ocsp.OCSPResponse, question: OcspQuestion, now: float) -> Certificate | None:
    """The delegated responder that signed; None if the CA did."""
    signature = _signature(response)
    if signature.weakness:
        raise OcspError(signature.weakness)
    issuer = question.issuer
    if signature.verifies(issuer.public_key):
        return None
    certificates = response.certificates
    if len(certificates) > MAX_OCSP_CERTIFICATES:
        raise OcspError(f"it carries {len(certificates)} certificates, at most {MAX_OCSP_CERTIFICATES} are looked at")
    for candidate in _readable(certificates):
        if not candidate.problems and signature.verifies(candidate.public_key):
            problem = _delegate_problem(candidate, issuer, now, question.source.clock_skew)
            if problem:
                raise OcspError(f"the responder {candidate.subject.text!r} that signed it may not: {problem}")
            return candidate
    raise OcspError(f"it is signed neither by {issuer.subject.text!r} nor by a certificate that came with it")


def _signature(response: ocsp.OCSPResponse) -> Signature:
    oid = response.signature_algorithm_oid
    algorithm: hashes.HashAlgorithm | None = None
    scheme: padding.PKCS1v15 | ec.ECDSA | None = None
    if oid not in _PURE:
        # Raises for what cryptography does not know, RSASSA-PSS among it: then it is not a readable response.
        algorithm = response.signature_hash_algorithm
        if algorithm is not None and oid in _ECDSA:
            scheme = ec.ECDSA(algorithm)
        elif oid in _RSA:
            scheme = padding.PKCS1v15()
    return Signature(oid, scheme, algorithm, response.signature, response.tbs_response_bytes)


def _delegate_problem(delegate: Certificate, issuer: Certificate, now: float, skew: float) -> str:
    """Why `delegate`, which signed, may not answer for `issuer` (§4.2.2.2), in words; empty if it may."""
    if delegate.issuer != issuer.subject or not delegate.signature.verifies(issuer.public_key):
        return delegate.signature.weakness or "the CA that issued the certificate did not issue it"
    if "OCSPSigning" not in (delegate.extended_key_usage or ()):
        return "its extended key usage lacks OCSPSigning"
    if delegate.key_usage is not None and not delegate.key_usage & {"digitalSignature", "nonRepudiation"}:
        return "its key usage lacks digitalSignature"
    if not delegate.not_before - skew <= now <= delegate.not_after + skew:
        return "it is not valid now"
    return ""


def _readable(certificates: Iterable[x509.Certificate]) -> Iterable[Certificate]:
    for certificate in certificates:
        try:
            yield certificate_from_der(certificate.public_bytes(Encoding.DER))
        except CertificateError:
            continue
