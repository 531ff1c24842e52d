import FuzzSupport
internal import MailStore
internal import MartletCore
import Records

/// What is read back from the store, where a disk may have changed it: records as JSON, lookup codes as people type them, the
/// preface of a blob in a segment file. JSONValue, JSONWriter, SegmentFormat and CRC32C are the project's files, by link,
/// because they are internal to their targets.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRecords(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let modes = input.mode()
    let bytes = input.rest
    checkJSON(bytes)
    checkRecord(bytes)
    checkCode(String(decoding: bytes, as: UTF8.self), bytes)
    checkSegment(bytes, flip: Int(modes))
    return 0
}

func checkJSON(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    var writer = JSONWriter()
    writer.string(text)
    require(JSONValue(json: writer.bytes) == .string(text), "a string comes back")
    require(!writer.bytes.contains { $0 < 0x20 || $0 == 0x7F }, "control characters are escaped")
    guard let value = JSONValue(json: bytes) else { return }
    var copy = JSONWriter()
    guard write(value, to: &copy) else { return }
    require(JSONValue(json: copy.bytes) == value, "a value comes back")
}

/// false for what records do not hold, and the writer therefore does not write.
func write(_ value: JSONValue, to writer: inout JSONWriter) -> Bool {
    switch value {
    case .string(let text): writer.string(text)
    case .array(let elements):
        var isWritten = true
        writer.array { writer in for element in elements where isWritten { isWritten = write(element, to: &writer) } }
        return isWritten
    case .null, .bool, .number, .object: return false
    }
    return true
}

func checkRecord(_ bytes: [UInt8]) {
    guard let record = Record(json: bytes) else { return }
    require(Record(json: record.json()) == record, "a record comes back")
    let told = Explanation.text(for: record)
    require(
        told.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F || $0 == "\n" },
        "what is told to a person has no control characters")
    require(!Explanation.line(for: record).unicodeScalars.contains { $0.value < 0x20 }, "a line is a line")
    require(told.utf8.count <= 64 * bytes.count + 8_192, "what is told is bounded")
}

func checkCode(_ text: String, _ bytes: [UInt8]) {
    if let code = LookupCode(text) {
        require(code.value >= 0 && LookupCode(code.description) == code, "a code reads as it was written")
        require(LookupCode(code.description.lowercased()) == code, "a code has no case")
        _ = code.time.description
    }
    guard bytes.count >= 8 else { return }
    let value = bytes.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
    require(LookupCode(value: value).map { LookupCode($0.description) == $0 } ?? (value < 0), "a code is a number")
}

func checkSegment(_ bytes: [UInt8], flip: Int) {
    guard bytes.count >= 32, let blob = BlobID(bytes.prefix(32)) else { return }
    // Lengths around the size of chunks, with made-up checksums.
    let length = Int(bytes[0]) * 4_099 + Int(bytes[1])
    let checksums = (0..<SegmentFormat.chunks(of: length)).map { UInt32($0) &* 2_654_435_761 }
    var preface = SegmentFormat.preface(blob: blob, length: length, checksums: checksums)
    require(preface.count == SegmentFormat.prefaceSize(of: length), "a preface has its size")
    require(SegmentFormat.recordSize(of: length) >= preface.count + length, "a record holds its blob")
    func read(_ bytes: [UInt8]) -> [UInt32]? {
        bytes.withUnsafeBytes { SegmentFormat.checksums(preface: $0, blob: blob, length: length) }
    }
    require(read(preface) == checksums, "a preface comes back")
    let place = (flip * 131 + bytes.count) % preface.count
    // Octets 60 to 63 mean nothing.
    if !(60..<64).contains(place) {
        preface[place] ^= 1 << (flip & 7)
        require(read(preface) == nil, "a damaged preface is noticed")
    }
    require(read(bytes) == nil, "what is no preface is none")
    require(read(Array(preface.dropLast())) == nil, "a short preface is none")
    let number = bytes.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
    if let location = BlobLocation(segment: number, place: number, length: number) {
        let end = location.place + Int64(SegmentFormat.recordSize(of: location.length))
        require(end > location.place, "a place is followed by its record")
    }
    let segment = number & .max
    require(SegmentFormat.segment(ofFileName: SegmentFormat.fileName(segment)) == segment, "a file has its number")
    require(crc(bytes) == bytes.withUnsafeBytes { CRC32C.checksum($0) }, "CRC-32C is CRC-32C")
}

/// RFC 3720 §B.4, a bit at a time.
func crc(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { value, byte in
        (0..<8).reduce(value ^ UInt32(byte)) { rest, _ in rest & 1 == 1 ? rest >> 1 ^ 0x82F6_3B78 : rest >> 1 }
    }
}

@_cdecl("FuzzRecords_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzRecords($0, $1) }
}
