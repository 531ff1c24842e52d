import MartletCore
import MessageFormat

/// A message as a test compares it.
struct ReadMessage: Hashable, CustomStringConvertible {
    var content: String
    var flags: MailboxFlags.System = []
    var keywords: [String] = []
    var sender = "a@b.test"
    var date: Instant? = Instant(year: 2026, month: 11, day: 24, hour: 11, minute: 41, second: 21)

    var description: String { "\(content.debugDescription) \(flags.rawValue) \(keywords) \(sender) \(date as Any)" }
}

/// Everything that a decoder finds in a file.
struct ReadFile: Hashable {
    var messages: [ReadMessage] = []
    var damage: [MboxDamage] = []
    var folderData = 0
    var heldAtEnd = 0
    /// Where each message begins, and what `ended` said is next.
    var offsets: [Int64] = []
    var nexts: [Int64] = []

    /// Reads `file` from `offset` on in pieces of the given sizes, the last one again and again.
    static func read(
        _ file: [UInt8], variant: MboxVariant = .automatic, pieces: [Int] = [.max], offset: Int = 0
    ) -> ReadFile {
        var decoder = MboxDecoder(variant: variant, offset: Int64(offset))
        var result = ReadFile()
        var content: [UInt8] = []
        func drain() {
            while let event = decoder.next() {
                switch event {
                case .began(let head):
                    content = []
                    result.offsets.append(head.offset)
                    result.messages.append(
                        ReadMessage(
                            content: "", flags: head.flags.system, keywords: head.flags.keywords,
                            sender: String(decoding: head.line.sender, as: UTF8.self), date: head.line.date))
                case .content(let bytes): content += bytes
                case .ended(let next):
                    result.messages[result.messages.count - 1].content = String(decoding: content, as: UTF8.self)
                    result.nexts.append(next)
                case .folderData: result.folderData += 1
                case .damage(let damage, _): result.damage.append(damage)
                case .probe(let place):
                    let isInside = place >= 0 && place <= file.count
                    decoder.probed(
                        isInside ? Array(file[Int(place)...].prefix(MboxDecoder.probeLength)) : nil)
                }
            }
        }
        var start = offset
        var turn = 0
        while start < file.count {
            let size = pieces[min(turn, pieces.count - 1)]
            let end = size > file.count - start ? file.count : start + size
            decoder.append(Array(file[start..<end]))
            drain()
            start = end
            turn += 1
        }
        decoder.finish()
        drain()
        result.heldAtEnd = decoder.heldBytes
        return result
    }

    static func read(_ text: String, variant: MboxVariant = .automatic, pieces: [Int] = [.max]) -> ReadFile {
        read(Array(text.utf8), variant: variant, pieces: pieces)
    }
}
