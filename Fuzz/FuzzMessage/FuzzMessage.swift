import FuzzSupport
import IMAPProtocol
import MessageFormat

/// A message as it comes by DATA or APPEND, through everything that is computed at the door and asked for by IMAP: structure,
/// ENVELOPE, BODYSTRUCTURE, summary, texts of the parts, the scan of the header. The first octet chooses limits and line
/// ends; with its high bits the rest is repeated, so that what costs more than it should is seen.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMessage(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    var message = input.rest
    if modes & 2 != 0 { message = message.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] } }
    if modes & 0xFC == 0xF0, !message.isEmpty, message.count < 256 {
        let times = 32_768 / message.count
        message = Array([[UInt8]](repeating: message, count: times).joined())
    }
    var limits = MessageLimits.default
    if modes & 1 != 0 {
        limits.maximumDepth = 3
        limits.maximumParts = 6
        limits.maximumHeaderBytes = 300
        limits.maximumFields = 8
        limits.maximumParameters = 3
        limits.maximumBoundaryLength = 10
        limits.maximumParameterBytes = 20
        limits.maximumAddresses = 4
        limits.maximumSummaryText = 30
    }
    let start = processorTime()
    message.withUnsafeBytes { examine($0, limits) }
    require(processorTime() - start < .milliseconds(1_500), "32 KiB cost no second")
    return 0
}

func examine(_ bytes: UnsafeRawBufferPointer, _ limits: MessageLimits) {
    let structure = MessageStructure.parse(bytes, limits: limits)
    let root = structure.root
    require(root.headerRange.lowerBound == 0 && root.bodyRange.upperBound == bytes.count, "nothing is left out")
    var count = 0
    check(root, in: bytes, depth: 0, limits, &count)
    require(count == structure.partCount, "all parts are counted")
    require(count <= limits.maximumParts + limits.maximumDepth, "parts are bounded")
    require(structure.part(at: []) == root, "no number names the message")
    checkNumbers(of: root, at: [], in: structure)

    let summary = MessageSummary.make(bytes, structure: structure, limits: limits)
    require(summary == MessageSummary.make(bytes, limits: limits), "the same message has the same summary")
    require(summary.headerLength == root.headerRange.count, "the header is where the structure has it")
    require(summary.preview.unicodeScalars.count <= 256, "RFC 8970 §3.1")
    require(!summary.preview.unicodeScalars.contains { $0.value < 0x20 }, "a preview is one line")
    require(summary.references.count <= 100, "references are bounded")
    for identifier in summary.references + [summary.messageID, summary.inReplyTo].compactMap({ $0 }) {
        require(identifier.hasPrefix("<") && identifier.hasSuffix(">"), "an identifier has its brackets")
    }
    checkWire(summary, structure, bytes, limits)

    let scan = HeaderScan.scan(bytes, limits: limits)
    require(scan.headerLength <= bytes.count, "the header is in the message")
    require(scan.messageID == nil || scan.messageID == summary.messageID, "one message has one identifier")
    var last = 0
    for field in HeaderFields(bytes, in: root.headerRange, limits: limits) {
        require(
            last <= field.whole.lowerBound && field.whole.lowerBound == field.name.lowerBound && !field.name.isEmpty
                && field.name.upperBound < field.value.lowerBound && field.value.upperBound <= field.whole.upperBound
                && field.whole.upperBound <= root.headerRange.upperBound, "fields follow each other")
        last = field.whole.upperBound
        let value = HeaderFields.unfold(bytes, field.value)
        require(!value.contains(0x0A) && !value.contains(0x0D), "an unfolded value is one line")
    }
}

/// A part lies in its parent, behind the one before it; texts decode.
func check(
    _ part: MessageStructure.Part, in bytes: UnsafeRawBufferPointer, depth: Int, _ limits: MessageLimits,
    _ count: inout Int
) {
    count += 1
    require(depth <= limits.maximumDepth, "depth is bounded")
    require(
        part.headerRange.upperBound <= part.bodyRange.lowerBound && part.bodyRange.upperBound <= bytes.count,
        "a part lies in the message")
    let lineFeeds = bytes.clamped(part.bodyRange).count { $0 == 0x0A }
    let isCounted = part.contentType.type == "text" || part.contentType.type == "message"
    if isCounted { require(part.lines == lineFeeds, "lines are line ends of the body") }
    var last = part.bodyRange.lowerBound
    for child in part.children {
        require(last <= child.wholeRange.lowerBound, "parts follow each other")
        // The line end of an empty part's header may be the boundary's too.
        require(child.wholeRange.upperBound <= part.bodyRange.upperBound + 2, "a part lies in its parent")
        last = child.wholeRange.upperBound
        check(child, in: bytes, depth: depth + 1, limits, &count)
    }
    require(part.contentType.parameters.list.count <= limits.maximumParameters, "parameters are bounded")
    for parameter in part.contentType.parameters.list {
        require(parameter.value.count <= limits.maximumParameterBytes, "values are bounded")
        _ = part.contentType.parameters.decoded(parameter.name)
    }
    _ = part.fileName
    if part.contentType.type == "text" {
        let text = part.decodedText(in: bytes)
        require(text.utf8.count <= 6 * part.bodyRange.count + 6, "text is bounded by the body")
        _ = part.decodedText(in: bytes, limit: 10)
    }
}

func checkNumbers(of part: MessageStructure.Part, at path: [Int], in structure: MessageStructure) {
    // A message inside is numbered as its container: RFC 9051 §6.4.5.1.
    let container = part.isMessage ? part.children[0] : part
    require(structure.part(at: path + [0]) == nil, "parts are numbered from 1")
    guard container.isMultipart, !container.children.isEmpty, path.isEmpty != part.isMessage || path.isEmpty == false
    else { return }
    guard !(path.isEmpty && part.isMessage) else { return }
    for (index, child) in container.children.enumerated() {
        require(structure.part(at: path + [index + 1]) == child, "a number names its part")
        checkNumbers(of: child, at: path + [index + 1], in: structure)
    }
    require(structure.part(at: path + [container.children.count + 1]) == nil, "there is no part behind the last")
}

func checkWire(
    _ summary: MessageSummary, _ structure: MessageStructure, _ bytes: UnsafeRawBufferPointer, _ limits: MessageLimits
) {
    require(IMAPValue(summary.envelope)?.isEnvelope == true, "ENVELOPE has its form")
    guard let extended = IMAPValue(summary.bodyStructure), let parts = extended.bodyParts(isExtended: true) else {
        broken("BODYSTRUCTURE has its form")
    }
    require(parts == structure.partCount, "BODYSTRUCTURE tells all parts")
    let short = BodyStructureWireForm.encode(structure, in: bytes, extended: false, limits: limits)
    require(IMAPValue(short)?.bodyParts(isExtended: false) == parts, "BODY has its form")
    // IMAP takes the extension data off the stored form: that must give the same.
    var writer = ResponseWriter()
    writer.beginFetch(1)
    writer.fetchBody(structure: summary.bodyStructure)
    writer.endFetch()
    require(
        writer.bytes == Array("* 1 FETCH (BODY ".utf8) + short + Array(")\r\n".utf8),
        "BODY is BODYSTRUCTURE's beginning")
}

@_cdecl("FuzzMessage_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzMessage($0, $1) }
}
