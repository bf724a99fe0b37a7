"""Where peergate and PKITS part, case by case, and why; and for what each invalid case has to be refused."""

_DELTA, _INDIRECT, _SCOPED = "delta CRL", "indirect CRL", "CRL for a part of the certificates"
_UNSIGNED, _UNNAMED = "the signature of the CRL is not of a CA named", "no anchor and no intermediate is named"
_NOT_WHOLE = "the signature is not whole octets"

#: Files with which no policy loads, and words of the problem.
REFUSED_AT_LOAD = {
    "BadCRLIssuerNameCACRL": _UNNAMED,
    "BadCRLSignatureCACRL": _UNSIGNED,
    "BadSignedCACRL": _UNNAMED,
    "BadSignedCACert": _NOT_WHOLE,
    "BasicSelfIssuedCRLSigningKeyCRLCertCRL": _SCOPED,
    "BasicSelfIssuedOldKeySelfIssuedCertCRL": _SCOPED,
    "DSACACRL": "SHA1",
    "DSAParametersInheritedCACRL": "SHA1",
    "DSAParametersInheritedCACert": "not a readable X.509 certificate",
    "TwoCRLsCABadCRL": _UNNAMED,
    "UnknownCRLEntryExtensionCACRL": "critical extension",
    "UnknownCRLExtensionCACRL": "unknown critical extension",
    "deltaCRLCA1deltaCRL": _DELTA,
    "deltaCRLCA2deltaCRL": _DELTA,
    "deltaCRLCA3deltaCRL": _DELTA,
    "deltaCRLIndicatorNoBaseCACRL": _DELTA,
    "distributionPoint1CACRL": _SCOPED,
    "distributionPoint2CACRL": _SCOPED,
    "indirectCRLCA1CRL": _INDIRECT,
    "indirectCRLCA3CRL": _SCOPED,
    "indirectCRLCA3cRLIssuerCRL": _INDIRECT,
    "indirectCRLCA4cRLIssuerCRL": _INDIRECT,
    "indirectCRLCA5CRL": _INDIRECT,
    "keyUsageCriticalcRLSignFalseCACRL": _UNSIGNED,
    "keyUsageNotCriticalcRLSignFalseCACRL": _UNSIGNED,
    "onlyContainsAttributeCertsCACRL": _SCOPED,
    "onlyContainsCACertsCACRL": _SCOPED,
    "onlyContainsUserCertsCACRL": _SCOPED,
    "onlySomeReasonsCA1compromiseCRL": _SCOPED,
    "onlySomeReasonsCA1otherreasonsCRL": _SCOPED,
    "onlySomeReasonsCA2CRL1": _SCOPED,
    "onlySomeReasonsCA2CRL2": _SCOPED,
    "onlySomeReasonsCA3compromiseCRL": _SCOPED,
    "onlySomeReasonsCA3otherreasonsCRL": _SCOPED,
    "onlySomeReasonsCA4compromiseCRL": _SCOPED,
    "onlySomeReasonsCA4otherreasonsCRL": _SCOPED,
}

DSA = "DSA keys are not accepted"
CA_LEAF = "a CA certificate does not identify a caller"
FOREIGN = "one of the two CRLs is of no CA that the policy names, so the policy does not load"
SCOPED = "a CRL with issuingDistributionPoint is refused by name"
INDIRECT = "an indirect CRL is refused by name"
DELTA = "a delta CRL is refused by name"
OTHER_KEY = "the CRL is under another key of the CA than the leaf, and so proves nothing good"

#: Cases that PKITS calls valid and whose path is refused all the same.
STRICTER_PATHS = {"4.1.4": DSA, "4.1.5": DSA, "4.6.8": CA_LEAF, "4.6.14": CA_LEAF, "4.14.13": CA_LEAF}

#: Cases that PKITS calls valid and that are refused with the CRLs of the case under `revocation: require`.
STRICTER = STRICTER_PATHS | {
    "4.4.7": FOREIGN,
    "4.4.19": OTHER_KEY,
    "4.5.1": OTHER_KEY,
    "4.5.3": SCOPED,
    "4.5.4": f"{SCOPED}; {OTHER_KEY}",
    "4.5.6": f"{SCOPED}; {OTHER_KEY}",
    "4.6.15": OTHER_KEY,
    "4.6.17": OTHER_KEY,
    "4.13.19": OTHER_KEY,
    "4.14.1": SCOPED,
    "4.14.4": SCOPED,
    "4.14.5": SCOPED,
    "4.14.7": SCOPED,
    "4.14.18": SCOPED,
    "4.14.19": SCOPED,
    "4.14.22": INDIRECT,
    "4.14.24": INDIRECT,
    "4.14.25": INDIRECT,
    "4.14.28": INDIRECT,
    "4.14.29": INDIRECT,
    "4.14.30": INDIRECT,
    "4.14.33": INDIRECT,
    "4.15.2": DELTA,
    "4.15.5": DELTA,
    "4.15.7": DELTA,
    "4.15.8": DELTA,
}

#: Those of them that are accepted once the refused file is taken out of the policy: the other CRLs are enough.
ACCEPTED_WITHOUT_REFUSED_FILES = frozenset({"4.4.7", "4.5.3", "4.15.2", "4.15.7", "4.15.8"})

#: Cases that PKITS calls invalid and that are accepted once the refused file is taken out of the policy.
MISSED_WITHOUT_REFUSED_FILES = {
    "4.15.4": "only the delta CRL lists it; the complete CRL, which is current, does not (RFC 5280 §6.3.1, use-deltas)"
}

#: Cases whose path is invalid, and words of the problem. Of 4.13 every invalid one, by a name constraint.
PATH_PROBLEMS = {
    "4.1.2": "no CA among",
    "4.1.3": "did not sign",
    "4.1.6": _NOT_WHOLE,
    "4.2.1": "is not valid yet",
    "4.2.2": "the certificate is not valid yet",
    "4.2.5": "has expired",
    "4.2.6": "the certificate has expired",
    "4.2.7": "the certificate has expired",
    "4.3.1": "no CA among",
    "4.3.2": "no CA among",
    "4.4.15": "the serial number is not positive",
    "4.5.8": "it is not a CA",
    "4.6.1": "it is not a CA",
    "4.6.2": "it is not a CA",
    "4.6.3": "it is not a CA",
    "4.6.5": "its path length is 0",
    "4.6.6": CA_LEAF,
    "4.6.9": "its path length is 0",
    "4.6.10": CA_LEAF,
    "4.6.11": "its path length is 1",
    "4.6.12": CA_LEAF,
    "4.6.16": "its path length is 0",
    "4.7.1": "its key usage lacks keyCertSign",
    "4.7.2": "its key usage lacks keyCertSign",
    "4.14.11": CA_LEAF,
}

#: Invalid cases that a CRL which is not refused lists. What else is invalid by its CRLs is `revocation_unknown`.
REVOKED = {"4.4.2", "4.4.3", "4.4.18", "4.4.20", "4.5.2", "4.5.5", "4.5.7", "4.15.3", "4.15.6", "4.15.9"}
