import FuzzSupport
import MartletBytes
import MartletCore

/// What names mail, and the codecs below everything: addresses, domains, identifiers, times; base 64, quoted-printable,
/// hexadecimal, numbers, searching. What is read is written and read again; what is written is read back.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzAddress(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    let bytes = FuzzInput(data, size).rest
    let text = String(decoding: bytes, as: UTF8.self)
    checkAddress(text)
    checkDomain(text)
    checkIdentifiers(text, bytes)
    checkCodecs(bytes)
    checkScanning(bytes)
    return 0
}

func checkAddress(_ text: String) {
    guard let address = EmailAddress(text) else { return }
    require(EmailAddress(address.description) == address, "an address reads as it was written")
    require((1...64).contains(address.localPart.utf8.count), "RFC 5321 §4.5.3.1.1")
    require(!address.description.utf8.contains { $0 < 0x20 || $0 == 0x7F }, "no control character")
    require(address.description.utf8.count <= 2 * 64 + 3 + 253, "an address is bounded")
    require(address.needsSMTPUTF8 == address.description.utf8.contains { $0 >= 0x80 }, "SMTPUTF8 when it is not ASCII")
    if let domain = address.domain {
        require(EmailAddress(localPart: address.localPart, domain: domain) == address, "an address is its parts")
    }
}

func checkDomain(_ text: String) {
    guard let domain = Domain(text) else { return }
    require(!text.utf8.contains(0), "no name has a NUL: C would see another name")
    require(Domain(domain.ascii) == domain && Domain(domain.ascii + ".") == domain, "a domain reads as it was written")
    require((1...Domain.maximumLength).contains(domain.ascii.utf8.count), "RFC 1035 §2.3.4")
    require(
        domain.ascii.split(separator: ".", omittingEmptySubsequences: false).allSatisfy {
            (1...63).contains($0.utf8.count)
        }, "labels are bounded")
    require(domain.ascii == domain.ascii.lowercased() && domain.ascii.utf8.allSatisfy { $0 < 0x80 }, "lower case ASCII")
    require(domain.isEqualToOrBelow(domain), "a domain is not below itself")
    if let below = Domain("a." + domain.ascii) {
        require(below.isEqualToOrBelow(domain) && !domain.isEqualToOrBelow(below), "a label more is below")
    }
    _ = domain.unicode
}

func checkIdentifiers(_ text: String, _ bytes: [UInt8]) {
    if let id = UniqueID(text) {
        require(
            UniqueID(id.description) == id && UniqueID(bytes: id.bytes) == id, "an identifier reads as it was written")
    }
    guard bytes.count >= 16, let id = UniqueID(bytes: bytes.prefix(16)) else { return }
    require(UniqueID(id.description) == id && id.bytes.elementsEqual(bytes.prefix(16)), "identifiers are 16 octets")
    _ = id.time.description
    // A thousand years either way.
    let instant = Instant(seconds: Int64(bitPattern: id.high) % 100_000_000_000)
    let (year, month, day, hour, minute, second) = instant.utc
    require(
        Instant(year: year, month: month, day: day, hour: hour, minute: minute, second: second) == instant,
        "a moment is its date")
    require((1...12).contains(month) && (1...31).contains(day) && (0...59).contains(second), "a date is a date")
}

func checkCodecs(_ bytes: [UInt8]) {
    let encoded = Base64.encode(bytes)
    require(Base64.decode(encoded) == bytes, "base 64 comes back")
    require(encoded.withUnsafeBytes { Base64.decodeLeniently($0) } == bytes, "base 64 comes back")
    let folded = Array(encoded.map { [$0, 0x0D, 0x0A] }.joined())
    require(folded.withUnsafeBytes { Base64.decodeLeniently($0) } == bytes, "base 64 comes back from lines")
    let lenient = bytes.withUnsafeBytes { Base64.decodeLeniently($0) }
    require(lenient.count <= bytes.count, "decoding does not grow")
    if let strict = Base64.decode(bytes) {
        require(strict == lenient && Base64.encode(strict).count == bytes.count, "strict and lenient agree")
    }
    require(Hex.decode(Hex.encode(bytes).utf8) == bytes, "hexadecimal comes back")
    if let hex = Hex.decode(bytes) {
        require(Array(Hex.encode(hex).utf8) == ASCII.lowercased(bytes), "hexadecimal reads as it was written")
    }
    let quoted = QuotedPrintable.encode(bytes)
    require(quoted.withUnsafeBytes { QuotedPrintable.decode($0) } == bytes, "quoted-printable comes back")
    require(
        quoted.split(separator: 0x0A, omittingEmptySubsequences: false).allSatisfy { line in
            line.filter { $0 != 0x0D }.count <= 76 && line.allSatisfy { $0 == 0x09 || $0 == 0x0D || 0x20...0x7E ~= $0 }
                && line.last != 0x20
        }, "RFC 2045 §6.7: lines of 76 octets of ASCII")
    require(bytes.withUnsafeBytes { QuotedPrintable.decode($0) }.count <= bytes.count, "decoding does not grow")
}

func checkScanning(_ bytes: [UInt8]) {
    if let number = ASCII.number(bytes) {
        require(UInt64(String(decoding: bytes, as: UTF8.self)) == number, "a number is a number")
        var digits: [UInt8] = []
        ASCII.appendDecimal(number, to: &digits)
        require(digits.elementsEqual(bytes.drop { $0 == 0x30 }) || number == 0, "a number reads as it was written")
        require((ASCII.number(bytes, limit: 1_000) != nil) == (number <= 1_000), "a limit holds")
    }
    guard bytes.count >= 4 else { return }
    let start = Int(bytes[0])
    let needle = Array(bytes[1..<(2 + Int(bytes[1]) % 3)])
    bytes.withUnsafeBytes { buffer in
        let expected =
            start <= buffer.count
            ? (start..<max(start, buffer.count)).first { buffer[$0...].starts(with: needle) } : nil
        require(buffer.firstIndex(of: needle, from: start) == expected, "the first place is found")
        require(
            buffer.firstIndex(ofByte: bytes[1], from: start)
                == (start < buffer.count ? buffer[start...].firstIndex(of: bytes[1]) : nil), "the first place is found")
        require(buffer.clamped(start..<(start + 5)).count == min(5, max(0, buffer.count - start)), "slices are clamped")
        _ = buffer.hasPrefixIgnoringCase("subject:", at: start - 3)
    }
}

@_cdecl("FuzzAddress_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzAddress($0, $1) }
}
