import FuzzSupport
import MessageFormat

/// 8-bit messages as 7-bit ones: every body means the same afterwards, and every octet is ASCII. The first octet
/// chooses limits and line ends.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzDowngrade(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    var message = input.rest
    if modes & 2 != 0 { message = message.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] } }
    var limits = MessageLimits.default
    if modes & 1 != 0 {
        limits.maximumDepth = 3
        limits.maximumParts = 6
        limits.maximumHeaderBytes = 300
        limits.maximumFields = 8
    }
    let isASCII = message.allSatisfy { $0 < 0x80 && $0 != 0 }
    let structure = MessageStructure.parse(message, limits: limits)
    switch SevenBitConversion.convert(message, limits: limits) {
    case .unchanged: require(isASCII, "what is not 7-bit does not stay")
    case .impossible(let obstacle):
        require(!isASCII || hasBinary(structure.root), "what is 7-bit is no obstacle")
        require(obstacle.description.utf8.count < 600, "a sentence is short")
    case .converted(let output):
        require(output.allSatisfy { $0 < 0x80 && $0 != 0 }, "it is 7-bit")
        let parts = structure.partCount
        require(output.count <= message.count * 32 / 10 + 200 * parts + 16, "it is bounded by the message")
        let after = MessageStructure.parse(output, limits: MessageLimits.default)
        // With small limits the parts that were not seen are what they were, and the default ones see more.
        guard modes & 1 == 0 else { break }
        require(after.partCount <= structure.partCount, "there is no part that was not there")
        compare(structure.root, in: message, after.root, in: output)
        if case .converted(let twice) = SevenBitConversion.convert(output) {
            require(twice == output, "once is enough")
        }
    }
    return 0
}

func hasBinary(_ part: MessageStructure.Part) -> Bool {
    part.encoding == "binary" || part.children.contains { hasBinary($0) }
}

/// message/global may have become one body; all else has the same parts.
func compare(
    _ one: MessageStructure.Part, in before: [UInt8], _ other: MessageStructure.Part, in after: [UInt8]
) {
    require(one.contentType.type == other.contentType.type, "types stay")
    require(one.contentType.subtype == other.contentType.subtype, "types stay")
    if !one.children.isEmpty, one.contentType.subtype != "global" || one.contentType.type != "message" {
        require(one.children.count == other.children.count, "parts stay")
        for (child, copy) in zip(one.children, other.children) { compare(child, in: before, copy, in: after) }
        return
    }
    func content(_ part: MessageStructure.Part, _ bytes: [UInt8]) -> [UInt8] {
        bytes[part.bodyRange].withUnsafeBytes { ContentTransferEncoding(part.encoding).decode($0) }
    }
    require(content(one, before) == content(other, after), "a body means the same")
}

@_cdecl("FuzzDowngrade_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzDowngrade($0, $1) }
}
