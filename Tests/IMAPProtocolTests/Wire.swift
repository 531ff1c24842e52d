import IMAPProtocol

/// Short forms for tables.
func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

func set(_ ranges: (UInt32, UInt32)...) -> SequenceSet { .ranges(ranges.map { SequenceRange($0.0, $0.1) }) }
let star = SequenceRange.star
func box(_ name: String) -> MailboxName { MailboxName(trusted: name) }

/// What a fresh writer writes.
func written(usesUTF8: Bool = false, _ write: (inout ResponseWriter) -> Void) -> String {
    var writer = ResponseWriter(usesUTF8: usesUTF8)
    write(&writer)
    return text(writer.bytes)
}
