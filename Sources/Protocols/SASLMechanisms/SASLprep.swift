internal import Foundation

/// SASLprep (RFC 4013): how a login name and a password look before they are compared or hashed.
///
/// Mapping and normalization form KC are Unicode's present ones, where RFC 3454 froze version 3.2: characters newer than
/// that are taken as they are. The bidirectional check (RFC 3454 §6) is not made: it would refuse passwords that people use
/// and makes no two strings equal.
public enum SASLprep {
    /// The prepared text; nil when it is empty or holds a character that RFC 4013 §2.3 prohibits. ASCII costs O(length).
    public static func prepare(_ text: String) -> String? {
        let utf8 = text.utf8
        guard !utf8.isEmpty else { return nil }
        if utf8.allSatisfy({ $0 < 0x80 }) { return utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } ? text : nil }
        var mapped = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if isMappedToSpace(scalar) {
                mapped.append(" ")
            } else if !isMappedToNothing(scalar) {
                mapped.append(scalar)
            }
        }
        let normalized = String(mapped).precomposedStringWithCompatibilityMapping
        guard !normalized.unicodeScalars.isEmpty, !normalized.unicodeScalars.contains(where: isProhibited) else {
            return nil
        }
        return normalized
    }

    /// As `prepare`, for bytes; nil also when they are not UTF-8.
    public static func prepare(_ bytes: [UInt8]) -> [UInt8]? {
        if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) { return bytes.isEmpty ? nil : bytes }
        guard let text = String(validating: bytes, as: UTF8.self), let prepared = prepare(text) else { return nil }
        return Array(prepared.utf8)
    }

    /// RFC 3454 table C.1.2.
    private static func isMappedToSpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xA0, 0x1680, 0x2000...0x200B, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// RFC 3454 table B.1.
    private static func isMappedToNothing(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xAD, 0x34F, 0x1806, 0x180B...0x180D, 0x200C, 0x200D, 0x2060, 0xFE00...0xFE0F, 0xFEFF: true
        default: false
        }
    }

    /// RFC 3454 tables C.1.2, C.2.1, C.2.2, C.3 to C.9.
    private static func isProhibited(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1F, 0x7F, 0x80...0x9F, 0x6DD, 0x70F, 0x180E, 0x2028, 0x2029, 0x206A...0x206F, 0x1D173...0x1D17A: true
        case 0xE000...0xF8FF, 0xF0000...0xFFFFD, 0x100000...0x10FFFD: true
        case 0xFDD0...0xFDEF, 0xFFF9...0xFFFD: true
        case 0x2FF0...0x2FFB, 0x340, 0x341, 0x200E, 0x200F, 0x202A...0x202E, 0xE0001, 0xE0020...0xE007F: true
        case let value where value & 0xFFFE == 0xFFFE: true
        default: isMappedToSpace(scalar)
        }
    }
}
