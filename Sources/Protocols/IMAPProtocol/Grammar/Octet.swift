/// Character classes of the grammar (RFC 9051 §9); what is not IMAP's own is in `ASCII`.
enum Octet {
    /// ATOM-CHAR: printable ASCII but for `( ) { SP % * " \ ]`.
    @inline(__always)
    static func isAtom(_ octet: UInt8) -> Bool {
        guard octet > 0x20, octet < 0x7F else { return false }
        switch octet {
        case 0x28, 0x29, 0x7B, 0x25, 0x2A, 0x22, 0x5C, 0x5D: return false
        default: return true
        }
    }

    /// ASTRING-CHAR: ATOM-CHAR or `]`.
    @inline(__always)
    static func isAString(_ octet: UInt8) -> Bool { octet == 0x5D || isAtom(octet) }

    /// Of a tag: ASTRING-CHAR but for `+`.
    @inline(__always)
    static func isTag(_ octet: UInt8) -> Bool { octet != 0x2B && isAString(octet) }

    /// list-char: ASTRING-CHAR or a wildcard.
    @inline(__always)
    static func isList(_ octet: UInt8) -> Bool { octet == 0x25 || octet == 0x2A || isAString(octet) }
}
