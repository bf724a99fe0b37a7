"""How much of a peer's input is read before it is refused. Every limit is checked before the work it bounds."""

#: Bytes of one DER certificate. A leaf with 64 SANs and an RSA-4096 key is under 8 KiB.
MAX_CERTIFICATE_BYTES = 16 * 1024
#: Subject alternative names in one certificate, of all types together.
MAX_SANS = 64
#: Certificates beside the leaf that a peer may present, and bytes of all of them with the leaf: to read the worst takes
#: about 1 ms for each KiB.
MAX_INTERMEDIATES = 8
MAX_PRESENTED_BYTES = 18 * 1024
#: Characters of one forwarded header value (XFCC, Client-Cert …); Envoy's own default for all headers is 60 KiB.
MAX_HEADER_CHARS = 64 * 1024
#: Elements in one XFCC value: one per proxy on the way.
MAX_XFCC_ELEMENTS = 16
#: Seconds that a trust entry may allow for clocks that differ.
MAX_CLOCK_SKEW_SECONDS = 3600.0
#: Bytes of a SPIFFE ID (SPIFFE-ID standard §2.3) and of its trust domain (§2.1).
MAX_SPIFFE_ID_BYTES = 2048
MAX_TRUST_DOMAIN_BYTES = 255
#: Characters of one RFC 4514 string, and attributes in one name.
MAX_NAME_CHARS = 4096
MAX_NAME_ATTRIBUTES = 64
#: Bytes of one CRL file; 1 000 000 revocations are about 40 MiB.
MAX_CRL_BYTES = 64 * 1024 * 1024
#: Certificates in one trust file (anchors or intermediates).
MAX_TRUST_FILE_CERTIFICATES = 256
#: RSA key size in bits under which a key vouches for nothing (NIST SP 800-131A).
MIN_RSA_BITS = 2048
#: CA certificates between leaf and anchor.
MAX_CHAIN_DEPTH = 8
#: Entries of the bounded caches: distinct certificates seen lately.
MAX_CACHED_PEERS = 8192
#: RSA keys above this cost more to verify with than a peer may make us spend (Go's crypto/tls draws the same line).
MAX_RSA_BITS = 8192
#: Bits of an RSA public exponent; 65537 has 17.
MAX_RSA_EXPONENT_BITS = 32
#: Elliptic curve size in bits that gives the same 112 bits of security as RSA 2048 (NIST SP 800-57 part 1, table 2).
MIN_EC_BITS = 224
#: Extensions in one certificate, and items in one extension that is not the SAN.
MAX_EXTENSIONS = 64
MAX_EXTENSION_ITEMS = 256
#: Bytes of one object identifier; the longest in use are under 30.
MAX_OID_BYTES = 64
#: Signatures by keys that the peer itself presented that are tried for one leaf (Go and webpki stop at about 100); one
#: takes about 1 ms with the slowest curve.
MAX_PRESENTED_SIGNATURES = 12
#: Steps of the search for paths, and paths kept, for one leaf under one trust entry.
MAX_PATH_STEPS = 256
MAX_PATHS = 16
#: Names held against bases of name constraints, for one leaf under one trust entry (Go's crypto/x509 has the same).
MAX_NAME_COMPARISONS = 250_000
#: CA certificates and signatures between them that one trust store remembers.
MAX_CACHED_AUTHORITIES = 2048
#: Bytes of memory that one trust store may spend on verdicts and on presented certificates, each, as it estimates them.
MAX_CACHED_PEER_BYTES = 64 * 1024 * 1024
MAX_CACHED_AUTHORITY_BYTES = 32 * 1024 * 1024
#: Bytes of memory per byte of DER: of certificates as CAs write them, and at most, of ones made up of tiny names.
MEMORY_PER_DER_BYTE = 8
MAX_MEMORY_PER_DER_BYTE = 48
#: Characters of received text that the reader's cache may hold, all entries together.
MAX_CACHED_CHARS = 32 * 1024 * 1024
#: Bytes of one trust file (anchors or intermediates), explanatory text included.
MAX_TRUST_FILE_BYTES = 8 * 1024 * 1024

#: Object identifiers whose dotted form is remembered; certificates have a few dozen.
MAX_REMEMBERED_OIDS = 512
#: Bytes of the path of a Unix socket, without the closing zero (unix(7)).
MAX_SOCKET_PATH_BYTES = 107
#: Characters of a URL that is fetched; longer ones are cut somewhere on the way (RFC 9110 §4.1 asks for 8000 at least).
MAX_FETCH_URL_CHARS = 2048
#: URLs of one kind in one certificate that are looked at.
MAX_CERTIFICATE_URLS = 8
#: Bytes of one OCSP response: about 2 KiB with a delegated responder's certificate.
MAX_OCSP_BYTES = 64 * 1024
#: Certificates beside an OCSP response that may have signed it.
MAX_OCSP_CERTIFICATES = 4
#: Bytes of the nonce in an OCSP request (RFC 9654 §2.1).
OCSP_NONCE_BYTES = 32
#: Seconds for which an OCSP answer without nextUpdate counts from its thisUpdate on.
OCSP_AGE_SECONDS = 300.0
#: Seconds by which a responder's clock may be ahead: a fresh answer is not refused for it.
OCSP_AHEAD_SECONDS = 60.0
