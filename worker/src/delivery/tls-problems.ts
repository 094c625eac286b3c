/** Nobody we trust vouches for the other side. */
const UNKNOWN_AUTHORITY = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
];
const OUT_OF_DATE = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];
const OTHERWISE_UNFIT = [
  'CERT_CHAIN_TOO_LONG',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
];
/** Alerts by which the other side turns our certificate, or the lack of one, down (RFC 8446 §6.2). */
const TURNED_DOWN =
  /^ERR_SSL_(?:TLSV13_ALERT_CERTIFICATE_REQUIRED|SSLV3_ALERT_HANDSHAKE_FAILURE|TLSV1_ALERT_(?:UNKNOWN_CA|ACCESS_DENIED)|SSLV3_ALERT_(?:BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(?:REVOKED|EXPIRED|UNKNOWN)))$/;
const NO_TLS = ['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG', 'ERR_SSL_HTTP_REQUEST'];
const TOO_OLD = [
  'ERR_SSL_UNSUPPORTED_PROTOCOL',
  'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  'ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY',
];

/**
 * What a failed TLS connection says to the operator, and which variable helps.
 *
 * @param error - as Node gives it; its code is OpenSSL's
 * @param peer - who was to be talked to, such as `the PACS`
 * @param variable - by which its address is set
 * @returns undefined for what is no matter of certificates and settings, and passes by itself
 */
export function tlsProblem(error: unknown, peer: string, variable: string): string | undefined {
  const code = codeOf(error);
  if (code === undefined) return undefined;
  if (UNKNOWN_AUTHORITY.includes(code)) {
    return `The certificate of ${peer} is signed by nobody RelayPACS trusts (${code}). Name the file with the certificate of its authority by PACS_CA_FILE.`;
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return `The certificate of ${peer} is made out to another host name. Use a name that stands in the certificate in ${variable}, or have the certificate replaced.`;
  }
  if (OUT_OF_DATE.includes(code)) {
    return `The certificate of ${peer}, or of its authority in PACS_CA_FILE, is out of date (${code}). Have it renewed, and check the clock of this machine.`;
  }
  if (OTHERWISE_UNFIT.includes(code)) {
    return `The certificate of ${peer} cannot be accepted (${code}). Have it replaced; PACS_CA_FILE must name the authority that signed it.`;
  }
  if (TURNED_DOWN.test(code)) {
    return `The TLS handshake was turned down by ${peer} (${code}): it wants a client certificate it knows. Set PACS_CLIENT_CERT_FILE and PACS_CLIENT_KEY_FILE, or check that the certificate is valid and accepted there.`;
  }
  if (NO_TLS.includes(code)) {
    return `What answers at the address of ${peer} does not speak TLS (${code}). Check the port, and whether ${variable} has to start with http://.`;
  }
  if (TOO_OLD.includes(code)) {
    return `TLS 1.2 or later is needed, and ${peer} does not offer it (${code}). Have TLS updated there; ${variable} may also name the wrong port.`;
  }
  return undefined;
}

/** OpenSSL's reason as Node names it, also where Node only says EPROTO, and the reason in the middle of its words. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  if (error.code !== 'EPROTO') return error.code;
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1];
  return reason === undefined ? undefined : `ERR_SSL_${reason.toUpperCase().replaceAll(' ', '_')}`;
}
