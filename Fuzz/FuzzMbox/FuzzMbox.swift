import FuzzSupport
import MartletCore
import MessageFormat

/// mbox files of every variant. It does not matter in which pieces a file comes; reading goes on at every position that was told;
/// what was read can be written and reads as it was; what is held is bounded. Besides, names of Maildir files.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMbox(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    var input = FuzzInput(data, size)
    let variants = MboxVariant.allCases
    let variant = variants[Int(input.mode()) % variants.count]
    let seed = input.mode()
    let file = input.rest
    let whole = Mailbox(file, variant, in: [file])
    require(Mailbox(file, variant, in: pieces(of: file, seed: seed)) == whole, "pieces do not matter")
    if let middle = whole.messages.dropLast().randomElement(seed) {
        let rest = Mailbox(file, variant, in: [Array(file[middle.next...])], offset: middle.next)
        let behind = whole.messages.drop { $0.offset < middle.next }
        require(rest.messages.map(\.content) == behind.map(\.content), "reading goes on where a message ends")
    }
    for message in whole.messages { check(message) }
    check(name: file)
    return 0
}

extension Collection {
    fileprivate func randomElement(_ seed: UInt8) -> Element? {
        isEmpty ? nil : self[index(startIndex, offsetBy: Int(seed) % count)]
    }
}

struct Message: Equatable {
    var offset: Int
    var next = 0
    var head: MboxMessageHead
    var content: [UInt8] = []
}

/// All that a decoder finds.
struct Mailbox: Equatable {
    var messages: [Message] = []
    var damage: [MboxDamage] = []
    var folderData = 0

    init(_ file: [UInt8], _ variant: MboxVariant, in pieces: [[UInt8]], offset: Int = 0) {
        var decoder = MboxDecoder(variant: variant, offset: Int64(offset))
        for piece in pieces {
            decoder.append(piece)
            drain(&decoder, file)
            require(
                decoder.heldBytes <= MboxDecoder.maximumHeader + 4 * FromLine.maximumLength + piece.count,
                "what is held is bounded")
        }
        decoder.finish()
        drain(&decoder, file)
        require(decoder.heldBytes == 0, "all is told at the end")
    }

    private mutating func drain(_ decoder: inout MboxDecoder, _ file: [UInt8]) {
        var isOpen = false
        while let event = decoder.next() {
            switch event {
            case .began(let head): messages.append(Message(offset: Int(head.offset), head: head))
            case .content(let bytes):
                require(!bytes.contains(0), "no NUL")
                isOpen = !messages.isEmpty
                require(isOpen, "content belongs to a message")
                messages[messages.count - 1].content += bytes
            case .ended(let next):
                require(!messages.isEmpty, "a message that began ends")
                require((0...file.count).contains(Int(next)), "the next message is in the file")
                require(Int(next) > messages[messages.count - 1].offset, "reading goes forward")
                messages[messages.count - 1].next = Int(next)
            case .folderData: folderData += 1
            case .damage(let found, _): damage.append(found)
            case .probe(let place):
                decoder.probed(
                    place <= file.count ? Array(file[Int(place)...].prefix(MboxDecoder.probeLength)) : nil)
            }
        }
    }
}

/// Every line end is CRLF; and if the message can be told in mbox, it is the same when it was written and read.
func check(_ message: Message) {
    let content = message.content
    for (index, byte) in content.enumerated() where byte == 0x0A {
        require(index > 0 && content[index - 1] == 0x0D, "line ends are CRLF")
    }
    var previous: UInt8 = 0
    for byte in content {
        if byte == 0x0D, previous == 0x0D { return }
        previous = byte
    }
    guard content.ends(with: "\r\n") else { return }
    let lines = content.split(separator: 0x0A, omittingEmptySubsequences: false).map { $0.dropLast() }
    guard let empty = lines.firstIndex(where: { $0.isEmpty }), empty < lines.count - 1, empty < 4_000 else { return }
    let isQuotable = lines[empty...].allSatisfy { $0.prefix(513).contains { $0 != 0x3E } || $0.count < 513 }
    let hasFrom = lines[..<empty].contains { $0.drop { $0 == 0x3E }.starts(with: Array("From ".utf8)) }
    guard isQuotable, !hasFrom else { return }
    // An empty header and nothing behind it is no message to a reader.
    guard content.count > 2 else { return }
    var encoder = MboxEncoder()
    let date = message.head.line.date ?? Instant(seconds: 0)
    var file = encoder.begin(sender: message.head.line.sender, date: date, flags: message.head.flags)
    for piece in pieces(of: content, seed: UInt8(truncatingIfNeeded: content.count)) { file += encoder.append(piece) }
    file += encoder.end()
    let read = Mailbox(file + file, .mboxrd, in: [file + file])
    require(read.messages.count == 2 && read.damage.isEmpty, "two messages that were written are two")
    for found in read.messages {
        require(found.content == content, "a message reads as it was written")
        require(found.head.flags == message.head.flags, "flags read as they were written")
    }
}

/// A name reads as it was written.
func check(name bytes: [UInt8]) {
    let line = Array(bytes.prefix(255).prefix { $0 != 0x0A })
    var keywords = MaildirKeywords(file: bytes)
    let name = MaildirName.parse(line, keywords: keywords)
    let encoded = name.encoded(keywords: &keywords)
    require(MaildirName.parse(encoded, keywords: keywords).flags.system == name.flags.system, "flags stay")
    require(MaildirName.parse(encoded, keywords: keywords).unique == name.unique, "the name stays")
    require(MaildirKeywords(file: keywords.encoded) == keywords, "keywords stay")
    if let from = FromLine.parse(line) {
        let again = FromLine.parse(Array(from.encoded.dropLast()))
        require(again?.date != nil, "a written line has a date")
    }
}

@_cdecl("FuzzMbox_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    runFuzzer(count, arguments) { fuzzMbox($0, $1) }
}
