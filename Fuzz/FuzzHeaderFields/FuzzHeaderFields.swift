import FuzzSupport
import MartletCore
import MessageFormat

/// Values of header fields by themselves: address lists, dates, encoded words, parameters (RFC 2231), charsets, and what the
/// builder writes of them. The first octet chooses limits.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzHeaderFields(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    let value = input.rest
    var limits = MessageLimits.default
    if modes & 1 != 0 {
        limits.maximumAddresses = 4
        limits.maximumParameters = 3
        limits.maximumParameterBytes = 20
        limits.maximumFields = 4
    }
    checkAddresses(value, limits)
    checkDate(value)
    checkWords(value)
    checkCharset(value)
    checkParameters(value, limits)
    checkBuilder(value, modes)
    return 0
}

func checkAddresses(_ value: [UInt8], _ limits: MessageLimits) {
    let list = AddressList.parse(value, limits: limits)
    require(list.entries.count <= limits.maximumAddresses + 2, "addresses are bounded")
    var isInGroup = false
    var size = 0
    for entry in list.entries {
        switch entry {
        case .groupStart(let name):
            require(!isInGroup, "groups hold no groups (RFC 5322 §3.4)")
            isInGroup = true
            size += name.count
        case .groupEnd:
            require(isInGroup, "a group ends that began")
            isInGroup = false
        case .mailbox(let name, let route, let local, let domain):
            size += (name ?? []).count + (route ?? []).count + local.count + domain.count
        }
    }
    require(!isInGroup, "a group ends")
    require(size <= 2 * value.count, "entries are made of the value")
    // Addresses that are addresses survive writing.
    let addresses = list.mailboxes.prefix(20).compactMap { EmailAddress($0) }
    guard !addresses.isEmpty else { return }
    var builder = MessageBuilder()
    builder.add("To", addresses: addresses.map { (name: nil, address: $0) })
    let message = builder.build(.text("", subtype: "plain"), boundarySeed: 1)
    let again = message.withUnsafeBytes { bytes in
        HeaderFields(bytes, in: 0..<bytes.count).first { _ in true }.map {
            AddressList.parse(HeaderFields.unfold(bytes, $0.value)).mailboxes.compactMap { unquoted($0) }
        }
    }
    require(again == addresses, "an address list comes back")
}

/// `AddressList` undoes the quoting of local parts.
func unquoted(_ text: String) -> EmailAddress? {
    guard let at = text.utf8.lastIndex(of: UInt8(ascii: "@")) else { return nil }
    let right = String(text[text.index(after: at)...])
    guard let host = EmailAddress("x@" + right)?.host else { return nil }
    return EmailAddress(localPart: String(text[..<at]), host: host)
}

func checkDate(_ value: [UInt8]) {
    guard let date = MailDate.parse(value) else { return }
    require(abs(date.zoneMinutes) < 1_440, "a zone is less than a day")
    // Years of other than four digits are read by RFC 5322 §4.3.
    let year = (date.instant + .seconds(60 * date.zoneMinutes)).utc.year
    guard (1_000...9_999).contains(year) else { return }
    require(MailDate.parse(Array(date.description.utf8)) == date, "a date comes back")
}

func checkWords(_ value: [UInt8]) {
    let decoded = EncodedWord.decode(value)
    require(decoded.utf8.count <= 6 * value.count + 6, "text is bounded by the value")
    let text = String(decoding: value, as: UTF8.self)
    let encoded = EncodedWord.encode(text)
    require(encoded.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x09 }, "encoded text is printable ASCII")
    require(EncodedWord.decode(Array(encoded.utf8)) == text, "text comes back")
    if encoded != text {
        require(encoded.split(separator: " ").allSatisfy { $0.utf8.count <= 75 }, "RFC 2047 §2: 75 octets a word")
    }
}

/// The first line is a charset's name, the rest its text.
func checkCharset(_ value: [UInt8]) {
    let parts = value.split(separator: 0x0A, maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].count <= 40 else { return }
    let name = String(decoding: parts[0], as: UTF8.self)
    let text = Charset.decode(Array(parts[1]), charset: name)
    require((text != nil) == Charset.isKnown(name), "a charset is known or not")
    guard let text else { return }
    require(text.utf8.count <= 16 * parts[1].count + 64, "text is bounded by its octets")
}

func checkParameters(_ value: [UInt8], _ limits: MessageLimits) {
    let header = Array("Content-Type: text/plain; ".utf8) + value.filter { $0 != 0x0A } + Array("\r\n".utf8)
    let disposition = Array("Content-Disposition: attachment; ".utf8) + value.filter { $0 != 0x0A }
    let message = header + disposition + Array("\r\n\r\n".utf8)
    message.withUnsafeBytes { bytes in
        let root = MessageStructure.parse(bytes, limits: limits).root
        require(root.headerRange.count == message.count, "a folded field is a field")
        let list = root.contentType.parameters.list
        require(list.count <= limits.maximumParameters, "parameters are bounded")
        for parameter in list {
            require(parameter.value.count <= limits.maximumParameterBytes, "values are bounded")
            let base = parameter.name.prefix { $0 != "*" }
            if let text = root.contentType.parameters.decoded(String(base)) {
                require(text.utf8.count <= 8 * message.count, "text is bounded by the field")
            }
        }
        _ = root.fileName
        let wire = BodyStructureWireForm.encode(
            MessageStructure.parse(bytes, limits: limits), in: bytes, extended: true, limits: limits)
        require(IMAPValue(wire)?.bodyParts(isExtended: true) == 1, "BODYSTRUCTURE has its form")
    }
}

/// What the builder writes can be read, and no text adds a field.
func checkBuilder(_ value: [UInt8], _ modes: UInt8) {
    let text = String(decoding: value, as: UTF8.self)
    var builder = MessageBuilder()
    builder.add("Subject", text: text)
    builder.add("X-End", text: "end")
    let body: MessageBuilder.Body =
        switch modes >> 1 & 3 {
        case 0: .text(text, subtype: "plain")
        case 1: .attachment(value, type: "application/octet-stream", fileName: text)
        case 2:
            .multipart(subtype: "mixed", [.text(text, subtype: "plain"), .message(Array("A: b\r\n\r\nc\r\n".utf8))])
        default:
            .multipart(
                subtype: "mixed", [.attachment(value, type: "image/png", fileName: "x"), .text("y", subtype: "html")])
        }
    let message = builder.build(body, boundarySeed: UInt64(value.count))
    message.withUnsafeBytes { bytes in
        let names = HeaderFields(bytes, in: 0..<bytes.count).map { String(decoding: bytes[$0.name], as: UTF8.self) }
        require(names.prefix(3) == ["Subject", "X-End", "MIME-Version"], "no text adds a field")
        let root = MessageStructure.parse(bytes).root
        switch body {
        case .text:
            // Line ends become CRLF, and there is one at the end.
            var wanted = text.utf8.filter { $0 != 0x0D }
            if wanted.last != 0x0A { wanted.append(0x0A) }
            let read = Array(root.decodedText(in: bytes).utf8).filter { $0 != 0x0D }
            require(
                String(decoding: wanted, as: UTF8.self) == String(decoding: read, as: UTF8.self), "a text comes back")
        case .attachment:
            let content = ContentTransferEncoding(root.encoding).decode(bytes.clamped(root.bodyRange))
            require(content == value, "an attachment comes back")
            require(root.fileName == text || text.isEmpty || text.utf8.count > 2_000, "a file name comes back")
        case .multipart(_, let parts): require(root.children.count == parts.count, "parts come back")
        case .message: break
        }
    }
}

@_cdecl("FuzzHeaderFields_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzHeaderFields($0, $1) }
}
