internal import IMAPProtocol
internal import MailStore
internal import MessageFormat

/// One message's FETCH response before its items are written.
struct FetchResponse {
    var sequence: Int
    var entry: MessageEntry
    var summary: StoredSummary?
    var keywords: [String]
    /// \Seen was set by this FETCH: FLAGS are told whether they were asked for or not (RFC 9051 §6.4.5).
    var tellsFlags: Bool
}

// Writing FETCH responses whose items are in messages. Large contents go out in pieces, as fast as the peer takes them.
extension IMAPConnection {
    enum FetchEnd {
        case done
        /// Nothing was written for the message: a part's transfer encoding is not known.
        case unknownEncoding
        /// Nothing was written for the message: a part of BINARY has parts inside.
        case noLeaf
        /// Nothing was written for the message: its bytes are damaged.
        case damaged(reason: String)
        /// The connection is closed: the message could not be read to its end.
        case brokenOff
    }

    /// Writes a message's response. One item is looked for, decoded and written after the other, and what has gathered goes out
    /// between them: the memory that it takes is a message's and not that of all items together.
    func write(_ response: FetchResponse, _ plan: FetchPlan, in key: MailboxKey) async throws(StoreError) -> FetchEnd {
        do throws(StoreError) {
            return try await writeReadable(response, plan, in: key)
        } catch {
            guard case .corrupt(let reason) = error else { throw error }
            return .damaged(reason: reason)
        }
    }

    private func writeReadable(
        _ response: FetchResponse, _ plan: FetchPlan, in key: MailboxKey
    ) async throws(StoreError) -> FetchEnd {
        var message: OpenMessage?
        if plan.needsMessage {
            guard let opened = try await open(response.entry.uid, in: key) else { return .done }
            message = opened
            for item in plan.items {
                guard let part = item.binaryPart else { continue }
                switch try await message?.decodability(of: part) {
                case .unknownEncoding: return .unknownEncoding
                case .noLeaf: return .noLeaf
                case .decodable, nil: break
                }
            }
        }
        let start = out.bytes.count
        let flushesBefore = flushes
        do throws(StoreError) {
            try await write(response, plan, &message)
        } catch {
            guard flushes == flushesBefore, !isOver else {
                // The client has been promised octets that are not there: there is no other way to say so.
                reportDamage(error)
                breakOff()
                return .brokenOff
            }
            out.bytes.removeSubrange(start...)
            throw error
        }
        // Worth keeping while it is small: the next command is likely to ask for another part.
        if let message, let structure = message.structure, structure.partCount <= 32, lastStructure?.uid != message.uid
        {
            lastStructure = CachedStructure(uid: message.uid, structure: structure)
        }
        return isOver ? .brokenOff : .done
    }

    /// Nil: gone since the index was read, as if it had gone before.
    private func open(_ uid: UInt32, in key: MailboxKey) async throws(StoreError) -> OpenMessage? {
        do throws(StoreError) {
            return OpenMessage(
                uid: uid, reader: try await service.store.message(in: key, uid: uid),
                structure: lastStructure?.uid == uid ? lastStructure?.structure : nil)
        } catch {
            if error == .noSuchMessage { return nil }
            throw error
        }
    }

    private func write(
        _ response: FetchResponse, _ plan: FetchPlan, _ message: inout OpenMessage?
    ) async throws(StoreError) {
        out.beginFetch(UInt32(clamping: response.sequence))
        for item in plan.items {
            switch item {
            case .uid: out.fetchUID(response.entry.uid)
            case .flags: out.fetchFlags(response.entry.flags.rawValue, keywords: response.keywords)
            case .internalDate: out.fetchInternalDate(response.entry.internalDate)
            case .size: out.fetchSize(response.entry.size)
            case .modSeq: out.fetchModSeq(UInt64(clamping: response.entry.modSeq.value))
            case .envelope: if let summary = response.summary { out.fetchEnvelope(summary.envelope) }
            case .body: if let summary = response.summary { out.fetchBody(structure: summary.bodyStructure) }
            case .bodyStructure: if let summary = response.summary { out.fetchBodyStructure(summary.bodyStructure) }
            case .section, .binary, .binarySize, .rfc822, .rfc822Header, .rfc822Text:
                guard var opened = message.take() else { continue }
                try await writeContent(item, &opened)
                message = opened
            case .emailID, .threadID, .saveDate, .preview: break
            }
            if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
            if isOver { return }
        }
        if response.tellsFlags {
            if !plan.items.contains(.flags) {
                out.fetchFlags(response.entry.flags.rawValue, keywords: response.keywords)
            }
            // The change raised the MODSEQ, which is told with it (RFC 7162 §3.1).
            if session.announcesModSeq, !plan.items.contains(.modSeq) {
                out.fetchModSeq(UInt64(clamping: response.entry.modSeq.value))
            }
        }
        out.endFetch()
    }

    /// Finds an item's octets and writes them.
    private func writeContent(_ item: FetchItem, _ message: inout OpenMessage) async throws(StoreError) {
        let content: OpenMessage.Content
        var partial: PartialRange?
        switch item {
        case .section(let section, let range, _):
            content = try await message.content(of: section)
            partial = range
        case .rfc822Header: content = try await message.content(of: SectionSpecifier(text: .header))
        case .rfc822Text: content = try await message.content(of: SectionSpecifier(text: .text))
        case .binary(let part, let range, _):
            content = try await message.decodedPart(part)
            partial = range
        case .binarySize(let part): content = try await message.decodedPart(part)
        default: content = try await message.content(of: SectionSpecifier())
        }
        let size = content.size
        let range = partial?.range(inSize: size) ?? 0..<size
        switch (item, content) {
        case (.binarySize(let part), _):
            return out.fetchBinarySize(part: part, size: size)
        case (.section(let section, _, _), .absent):
            return out.fetchSection(section, origin: partial?.offset, nil)
        case (.binary(let part, _, _), .absent):
            return out.fetchBinaryNIL(part: part)
        case (.binary(let part, _, _), _):
            return try await writeBinary(part, content.part(range), origin: partial?.offset, &message)
        case (.section(let section, _, _), _):
            out.fetchSectionHead(section, origin: partial?.offset, length: range.count)
        default:
            out.fetchRFC822Head(item, length: range.count)
        }
        switch content.part(range) {
        case .bytes(let bytes): await writePieces(of: bytes, isBinary: false)
        case .range(let range): try await writePieces(range, &message)
        case .absent, .unknownEncoding: break
        }
    }

    /// BINARY says at its beginning whether there is a NUL, so it is looked at whole first.
    private func writeBinary(
        _ part: [UInt32], _ content: OpenMessage.Content, origin: UInt64?, _ message: inout OpenMessage
    ) async throws(StoreError) {
        let bytes: ArraySlice<UInt8> =
            switch content {
            case .bytes(let decoded): decoded
            case .range(let range): try await message.read(range)[...]
            case .absent, .unknownEncoding: []
            }
        out.fetchBinaryHead(part: part, origin: origin, length: bytes.count, hasNUL: bytes.contains(0))
        await writePieces(of: bytes, isBinary: true)
    }

    /// Octets that are in memory, a bounded piece at a time.
    private func writePieces(of bytes: ArraySlice<UInt8>, isBinary: Bool) async {
        var offset = bytes.startIndex
        while offset < bytes.endIndex, !isOver {
            let piece = bytes[offset..<min(bytes.endIndex, offset + IMAPConnection.pieceBytes)]
            if isBinary { out.bytes.append(contentsOf: piece) } else { piece.withUnsafeBytes { out.body($0) } }
            offset = piece.endIndex
            if out.bytes.count >= IMAPConnection.pieceBytes { await drain() }
        }
    }

    /// Octets of the message, a bounded piece at a time.
    private func writePieces(_ range: Range<Int>, _ message: inout OpenMessage) async throws(StoreError) {
        var offset = range.lowerBound
        while offset < range.upperBound, !isOver {
            let end = min(range.upperBound, offset + IMAPConnection.pieceBytes)
            let piece = try await message.read(offset..<end)
            guard piece.count == end - offset else { throw .corrupt(reason: "a message is shorter than its size") }
            piece.withUnsafeBytes { out.body($0) }
            offset = end
            if out.bytes.count >= IMAPConnection.pieceBytes { await drain() }
        }
    }

    private func reportDamage(_ error: StoreError) {
        service.logger.error(
            "a message could not be read", metadata: ["reason": "\(error)", "connection": "\(connection.number)"])
    }
}

extension FetchItem {
    /// The part whose transfer encoding has to be taken off for the item.
    fileprivate var binaryPart: [UInt32]? {
        switch self {
        case .binary(let part, _, _), .binarySize(let part): part
        default: nil
        }
    }
}
