internal import MartletBytes

/// Lines: commands with their literals, the heads of APPEND's messages, and what is passed over.
extension Framer {
    /// The position of the CR of the line that begins at `lineStart`, looking from `scanned` on. nil: more bytes are needed, or
    /// the framer has failed. `limit` is for all octets from `start` on.
    mutating func findLineEnd(limit: Int) -> Int? {
        let found = buffer.withUnsafeBytes { $0.firstIndex(ofByte: ASCII.lineFeed, from: scanned) }
        let length = (found ?? buffer.count) - start
        if length > limit {
            fail(.lineTooLong)
            return nil
        }
        guard let found else {
            scanned = buffer.count
            return nil
        }
        // A CR that ends the literal before this line is no part of a line end.
        guard found > lineStart, buffer[found - 1] == 0x0D else {
            fail(.bareLineFeed)
            return nil
        }
        return found - 1
    }

    /// One line of AUTHENTICATE or IDLE.
    mutating func nextLine() -> FramerEvent? {
        guard let end = findLineEnd(limit: limits.continuationBytes) else { return state == .failed ? nil : .needMore }
        let line = Array(buffer[start..<end])
        drop(upTo: end + 2)
        expectsLine = false
        return .line(line)
    }

    /// Goes on with a command: a complete one, a literal in it, or APPEND's message. nil: look again at the state.
    mutating func nextCommandLine() -> FramerEvent? {
        guard let end = findLineEnd(limit: limits.lineBytes + literalOctets) else {
            return state == .failed ? nil : .needMore
        }
        let announcement = buffer.withUnsafeBytes {
            LiteralAnnouncement(endOf: UnsafeRawBufferPointer(rebasing: $0[lineStart..<end]))
        }
        guard let announcement else {
            let command = Array(buffer[start..<end])
            drop(upTo: end + 2)
            return .command(command)
        }
        if isAppendMessage(endOfLine: end) {
            let head = Array(buffer[start..<end])
            drop(upTo: end + 2)
            decide(announcement)
            return .message(head: head, isFirst: true)
        }
        literalCount += 1
        guard announcement.length <= UInt64(limits.literalBytes - literalOctets), literalCount <= limits.literals else {
            let tag = tagOfCommand()
            drop(upTo: end + 2)
            refuse(length: announcement.length, isSynchronizing: announcement.isSynchronizing)
            return state == .failed ? nil : .literalTooLarge(tag: tag)
        }
        let length = Int(announcement.length)
        literalOctets += length
        scanned = end + 2
        lineStart = scanned
        state = .literal(remaining: length)
        return announcement.isSynchronizing ? .continuation : nil
    }

    /// What stands behind a message of APPEND: CRLF, or SP and the next one (RFC 3502), with `)` before it after UTF8 (RFC 6855).
    mutating func nextMessageHead() -> FramerEvent? {
        guard let end = findLineEnd(limit: limits.lineBytes) else { return state == .failed ? nil : .needMore }
        let isClosed = start < end && buffer[start] == UInt8(ascii: ")")
        let from = isClosed ? start + 1 : start
        let isWellFormed = isClosed == isWrapped
        if from == end, isWellFormed {
            drop(upTo: end + 2)
            state = .command
            return .appendEnd(isWellFormed: true)
        }
        let announcement = buffer.withUnsafeBytes {
            LiteralAnnouncement(endOf: UnsafeRawBufferPointer(rebasing: $0[from..<end]))
        }
        let head = Array(buffer[from..<end])
        drop(upTo: end + 2)
        guard let announcement, isWellFormed else {
            // What is announced all the same is read past, never taken for commands.
            if let announcement {
                refuse(length: announcement.length, isSynchronizing: announcement.isSynchronizing)
            } else {
                state = .command
            }
            return state == .failed ? nil : .appendEnd(isWellFormed: false)
        }
        decide(announcement)
        return .message(head: head, isFirst: false)
    }

    private mutating func decide(_ announcement: LiteralAnnouncement) {
        state = .deciding(length: announcement.length, isSynchronizing: announcement.isSynchronizing)
        isWrapped = announcement.isWrapped
    }

    /// The rest of a refused command: its line, and what it announces that will come without being asked for.
    mutating func skipLine() -> FramerEvent? {
        guard let end = findLineEnd(limit: limits.lineBytes) else { return state == .failed ? nil : .needMore }
        let announcement = buffer.withUnsafeBytes {
            LiteralAnnouncement(endOf: UnsafeRawBufferPointer(rebasing: $0[start..<end]))
        }
        drop(upTo: end + 2)
        if let announcement {
            refuse(length: announcement.length, isSynchronizing: announcement.isSynchronizing)
        } else {
            state = .command
        }
        return nil
    }

    /// A synchronising literal that is not asked for does not come (RFC 9051 §4.3): the next bytes are a command. The other
    /// kind comes and is read past.
    mutating func refuse(length: UInt64, isSynchronizing: Bool) {
        if isSynchronizing {
            state = .command
        } else if length > limits.skippedBytes {
            fail(.literalTooLarge)
        } else {
            state = .skipping(remaining: length)
        }
    }

    /// The end: nothing is held any more.
    mutating func fail(_ reason: FramerFailure) {
        failure = reason
        state = .failed
        buffer = []
        start = 0
        scanned = 0
        lineStart = 0
    }

    /// Octets of the message that are here, `count` at most.
    mutating func take(atMost count: UInt64) -> [UInt8] {
        let available = buffer.count - start
        if start == 0, UInt64(available) <= count {
            // The whole buffer is handed over without a copy.
            var bytes: [UInt8] = []
            swap(&bytes, &buffer)
            drop(upTo: 0)
            return bytes
        }
        let size = Int(min(count, UInt64(available)))
        let bytes = Array(buffer[start..<start + size])
        drop(upTo: start + size)
        return bytes
    }

    /// Everything before `offset` has been used: the next command begins there.
    mutating func drop(upTo offset: Int) {
        start = offset
        scanned = offset
        lineStart = offset
        literalOctets = 0
        literalCount = 0
        if start == buffer.count { compact() }
    }

    /// Gives used bytes back. A large buffer that is empty is freed: an idle connection holds nothing.
    mutating func compact() {
        guard start > 0 else { return }
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: buffer.capacity <= 4_096)
        } else {
            buffer.removeSubrange(0..<start)
        }
        scanned -= start
        lineStart -= start
        start = 0
    }

    /// Whether the line that ends at `end` announces a message of APPEND: the command is APPEND and its mailbox stands
    /// before the literal. (A mailbox may itself be a literal: then nothing but `tag APPEND ` precedes.)
    func isAppendMessage(endOfLine end: Int) -> Bool {
        buffer.withUnsafeBytes { bytes in
            let command = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
            guard let space = command.firstIndex(of: 0x20), command.count > space + 8 else { return false }
            let word: [UInt8] = [0x61, 0x70, 0x70, 0x65, 0x6E, 0x64]  // append
            for (offset, letter) in word.enumerated() where command[space + 1 + offset] | 0x20 != letter {
                return false
            }
            guard command[space + 7] == 0x20 else { return false }
            let next = command[space + 8]
            if next == UInt8(ascii: "{") { return lineStart > start }
            if next == UInt8(ascii: "~"), lineStart == start { return false }
            return true
        }
    }

    /// The tag of the command in the buffer, when it is one.
    func tagOfCommand() -> String? {
        buffer.withUnsafeBytes { bytes in
            let command = UnsafeRawBufferPointer(rebasing: bytes[start...])
            guard let space = command.firstIndex(of: 0x20), space > 0, space <= limits.tagBytes else { return nil }
            let tag = command[..<space]
            return tag.allSatisfy(Octet.isTag) ? String(decoding: tag, as: UTF8.self) : nil
        }
    }
}
