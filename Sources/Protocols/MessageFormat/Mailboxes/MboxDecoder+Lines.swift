internal import MartletBytes

// Line by line: what a line is, and what becomes of it.
extension MboxDecoder {
    private enum Separator {
        case yes(FromLine)
        case no
        case needsMore
    }

    /// Takes one line, or a part of a long one. False when there is nothing to do before more octets come.
    mutating func step() -> Bool {
        guard start < buffer.count else { return isFinished ? stepAtEnd() : false }
        if case .counted(let end) = state { return stepCounted(end) }
        let end = buffer.withUnsafeBytes { $0.firstIndex(ofByte: ASCII.lineFeed, from: start) }
        if isInLine {
            take(upTo: end.map { $0 + 1 } ?? buffer.count)
            return true
        }
        let first = buffer[start]
        if end == nil, !isFinished {
            // What a line is shows at its beginning: of those that may be special, enough has to be there.
            let isSpecial =
                first == UInt8(ascii: "F") || first == UInt8(ascii: ">") || first == ASCII.carriageReturn
            if isSpecial, buffer.count - start <= FromLine.maximumLength { return false }
        }
        let lineEnd = end ?? buffer.count
        if first == UInt8(ascii: "F") {
            switch separator(lineEnd, hasEnd: end != nil) {
            case .needsMore: return false
            case .yes(let from):
                let place = offset
                if state != .beforeFirst, state != .between {
                    let wasCut = !followsEmptyLine && state == .body
                    endMessage(next: place)
                    if wasCut { waiting.append(.damage(.noEmptyLine, offset: place)) }
                }
                advance(to: end.map { $0 + 1 } ?? buffer.count)
                begin(at: place, from)
                return true
            case .no: break
            }
        }
        takeBeginning(lineEnd, hasEnd: end != nil)
        return true
    }

    private mutating func advance(to place: Int) {
        offset &+= Int64(place - start)
        start = place
    }

    // MARK: From_ lines

    private func separator(_ lineEnd: Int, hasEnd: Bool) -> Separator {
        guard buffer[start..<lineEnd].starts(with: FromLine.prefix), lineEnd - start <= FromLine.maximumLength else {
            return .no
        }
        var text = buffer[start..<lineEnd]
        if text.last == ASCII.carriageReturn { text.removeLast() }
        guard let from = FromLine.parse(Array(text)) else { return .no }
        if state == .between { return .yes(from) }
        if from.date != nil, followsEmptyLine { return .yes(from) }
        guard from.date != nil || (followsEmptyLine && !from.sender.contains(ASCII.space)) else { return .no }
        // One sign is missing: the next line decides.
        guard hasEnd else { return .no }
        let next = buffer[(lineEnd + 1)...].prefix(FromLine.maximumLength)
        guard let nextEnd = next.firstIndex(of: ASCII.lineFeed) else {
            if next.count < FromLine.maximumLength, !isFinished { return .needsMore }
            return Self.isHeaderField(next) ? .yes(from) : .no
        }
        return Self.isHeaderField(next[..<nextEnd]) ? .yes(from) : .no
    }

    /// Whether a line begins as a header field does (RFC 5322 §2.2).
    private static func isHeaderField(_ line: ArraySlice<UInt8>) -> Bool {
        guard let colon = line.prefix(128).firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else {
            return false
        }
        return line[..<colon].allSatisfy { $0 > ASCII.space && $0 < 0x7F }
    }

    // MARK: Other lines

    /// A line that begins no message, or its first part.
    private mutating func takeBeginning(_ lineEnd: Int, hasEnd: Bool) {
        let length = lineEnd - start
        let isEmpty = hasEnd && (length == 0 || (length == 1 && buffer[start] == ASCII.carriageReturn))
        let place = hasEnd ? lineEnd + 1 : buffer.count
        switch state {
        case .beforeFirst, .between:
            if !isEmpty { passedOver &+= Int64(place - start) }
            isInLine = !hasEnd
            followsEmptyLine = isEmpty
            advance(to: place)
        case .header:
            // Behind an empty first line: a message without a header, now that more of it comes.
            guard !isHeaderEmptyLine else { return endHeader() }
            followsEmptyLine = isEmpty
            take(upTo: place)
            if isEmpty, state == .header, !isHeaderEmptyLine { endHeader() }
        case .body, .counted, .probing:
            if isEmpty, !isCounted {
                if heldEmptyLine { emitEmptyLine() }
                heldEmptyLine = true
                followsEmptyLine = true
                advance(to: place)
                return
            }
            if heldEmptyLine { emitEmptyLine() }
            heldEmptyLine = false
            followsEmptyLine = isEmpty
            if isQuoted(lineEnd) { advance(to: start + 1) }
            take(upTo: place)
        }
    }

    /// Takes octets of the line as they are, up to `place` in the buffer.
    private mutating func take(upTo place: Int) {
        let range = start..<place
        isInLine = buffer[place - 1] != ASCII.lineFeed
        advance(to: place)
        switch state {
        case .beforeFirst, .between: passedOver &+= Int64(range.count)
        case .header:
            buffer.withUnsafeBytes { normaliser.append($0.clamped(range), to: &header) }
            guard header.count > Self.maximumHeader else { return }
            waiting.append(.damage(.longHeader, offset: messageOffset))
            endHeader()
        case .body, .counted, .probing:
            guard !isLeftOut else { return }
            buffer.withUnsafeBytes { normaliser.append($0.clamped(range), to: &output) }
        }
    }

    private mutating func emitEmptyLine() {
        guard !isLeftOut else { return }
        output += [ASCII.carriageReturn, ASCII.lineFeed]
    }

    /// Whether the line is a From_ line with a `>` that the writer put before it.
    private func isQuoted(_ lineEnd: Int) -> Bool {
        guard buffer[start] == UInt8(ascii: ">") else { return false }
        let quotes = buffer[start..<lineEnd].prefix(FromLine.maximumLength).prefix { $0 == UInt8(ascii: ">") }.count
        guard quotes <= FromLine.maximumQuotes + 1, buffer[(start + quotes)..<lineEnd].starts(with: FromLine.prefix)
        else { return false }
        switch variant {
        case .automatic: return !isCounted
        case .mboxrd: return true
        case .mboxo, .mboxcl: return quotes == 1
        case .mboxcl2: return false
        }
    }

    // MARK: Content-Length, and the end

    private mutating func stepCounted(_ end: Int64) -> Bool {
        let left = end - offset
        guard left > 0 else {
            endMessage(next: offset)
            state = .between
            isInLine = false
            return true
        }
        let limit = Int(min(Int64(buffer.count - start), left)) + start
        if variant != .mboxcl {
            take(upTo: limit)
            return true
        }
        let found = buffer.withUnsafeBytes { $0.clamped(0..<limit).firstIndex(ofByte: ASCII.lineFeed, from: start) }
        let place = found.map { $0 + 1 } ?? limit
        if isInLine {
            take(upTo: place)
            return true
        }
        if found == nil, limit == buffer.count, !isFinished, Int64(limit - start) < left,
            limit - start <= FromLine.maximumLength
        {
            return false
        }
        if isQuoted(found ?? limit) { advance(to: start + 1) }
        if place > start { take(upTo: place) }
        return true
    }

    /// No octet is left and none will come.
    private mutating func stepAtEnd() -> Bool {
        switch state {
        case .beforeFirst, .between:
            guard passedOver > 0 else { return false }
            noteWhatWasPassedOver()
            return true
        case .header, .body, .counted:
            endMessage(next: offset)
            // An answer to a probe is not waited for: the file is over.
            state = .between
            return true
        case .probing: return false
        }
    }
}
