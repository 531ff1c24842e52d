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
        /// The connection is closed: the message could not be read to its end.
        case brokenOff
    }

    /// A content that is about to be written.
    private enum Prepared {
        case none
        case content(OpenMessage.Content, range: Range<Int>, origin: UInt64?)
    }

    func write(_ response: FetchResponse, _ plan: FetchPlan, in key: MailboxKey) async throws(StoreError) -> FetchEnd {
        var message: OpenMessage?
        var prepared: [Prepared] = []
        if plan.needsMessage {
            let uid = response.entry.uid
            let reader: any MessageReading
            do throws(StoreError) {
                reader = try await service.store.message(in: key, uid: uid)
            } catch {
                // Gone since the index was read: as if it had gone before.
                if error == .noSuchMessage { return .done }
                throw error
            }
            var opened = OpenMessage(
                uid: uid, reader: reader, structure: lastStructure?.uid == uid ? lastStructure?.structure : nil)
            for item in plan.items {
                guard let content = try await prepare(item, &opened) else { return .unknownEncoding }
                prepared.append(content)
            }
            // Worth keeping while it is small: the next command is likely to ask for another part.
            if let structure = opened.structure, structure.partCount <= 32, lastStructure?.uid != uid {
                lastStructure = CachedStructure(uid: uid, structure: structure)
            }
            message = opened
        }

        out.beginFetch(UInt32(clamping: response.sequence))
        var hasFlags = false
        for (number, item) in plan.items.enumerated() {
            switch item {
            case .uid: out.fetchUID(response.entry.uid)
            case .flags:
                hasFlags = true
                out.fetchFlags(response.entry.flags.rawValue, keywords: response.keywords)
            case .internalDate: out.fetchInternalDate(response.entry.internalDate)
            case .size: out.fetchSize(response.entry.size)
            case .modSeq: out.fetchModSeq(UInt64(clamping: response.entry.modSeq.value))
            case .envelope: if let summary = response.summary { out.fetchEnvelope(summary.envelope) }
            case .body: if let summary = response.summary { out.fetchBody(structure: summary.bodyStructure) }
            case .bodyStructure: if let summary = response.summary { out.fetchBodyStructure(summary.bodyStructure) }
            case .section, .binary, .binarySize, .rfc822, .rfc822Header, .rfc822Text:
                guard var opened = message, case .content(let content, let range, let origin) = prepared[number] else {
                    continue
                }
                guard await writeContent(item, content, range, origin, &opened) else { return .brokenOff }
                message = opened
            case .emailID, .threadID, .saveDate, .preview: break
            }
        }
        if response.tellsFlags, !hasFlags {
            out.fetchFlags(response.entry.flags.rawValue, keywords: response.keywords)
            if session.announcesModSeq, !plan.items.contains(.modSeq) {
                out.fetchModSeq(UInt64(clamping: response.entry.modSeq.value))
            }
        }
        out.endFetch()
        return .done
    }

    /// Finds an item's octets. nil: they cannot be decoded.
    private func prepare(_ item: FetchItem, _ message: inout OpenMessage) async throws(StoreError) -> Prepared? {
        let content: OpenMessage.Content
        var partial: PartialRange?
        switch item {
        case .section(let section, let range, _):
            content = try await message.content(of: section)
            partial = range
        case .rfc822: content = try await message.content(of: SectionSpecifier())
        case .rfc822Header: content = try await message.content(of: SectionSpecifier(text: .header))
        case .rfc822Text: content = try await message.content(of: SectionSpecifier(text: .text))
        case .binary(let part, let range, _):
            content = try await message.decodedPart(part)
            partial = range
        case .binarySize(let part): content = try await message.decodedPart(part)
        default: return Prepared.none
        }
        let size: Int
        switch content {
        case .range(let range): size = range.count
        case .bytes(let bytes): size = bytes.count
        case .absent: size = 0
        case .unknownEncoding: return nil
        }
        return .content(content, range: partial?.range(inSize: size) ?? 0..<size, origin: partial?.offset)
    }

    /// Returns false when the connection had to be broken off.
    private func writeContent(
        _ item: FetchItem, _ content: OpenMessage.Content, _ range: Range<Int>, _ origin: UInt64?,
        _ message: inout OpenMessage
    ) async -> Bool {
        switch (item, content) {
        case (.binarySize(let part), _):
            out.fetchBinarySize(part: part, size: range.count)
            return true
        case (.section(let section, _, _), .absent):
            out.fetchSection(section, origin: origin, nil)
            return true
        case (.binary(let part, _, _), .absent):
            out.fetchBinaryNIL(part: part)
            return true
        case (.section(let section, _, _), _): out.fetchSectionHead(section, origin: origin, length: range.count)
        case (.binary(let part, _, _), _):
            return await writeBinary(part, content, range, origin, &message)
        default: out.fetchRFC822Head(item, length: range.count)
        }
        switch content {
        case .bytes(let bytes):
            bytes.withUnsafeBytes { out.body(UnsafeRawBufferPointer(rebasing: $0[range])) }
            return true
        case .range(let whole):
            return await writePieces(
                whole.lowerBound + range.lowerBound..<whole.lowerBound + range.upperBound, &message)
        case .absent, .unknownEncoding: return true
        }
    }

    /// BINARY says at its beginning whether there is a NUL, so it is looked at whole first.
    private func writeBinary(
        _ part: [UInt32], _ content: OpenMessage.Content, _ range: Range<Int>, _ origin: UInt64?,
        _ message: inout OpenMessage
    ) async -> Bool {
        let bytes: [UInt8]
        switch content {
        case .bytes(let decoded): bytes = Array(decoded[range])
        case .range(let whole):
            do throws(StoreError) {
                bytes = try await message.read(
                    whole.lowerBound + range.lowerBound..<whole.lowerBound + range.upperBound)
            } catch {
                reportDamage(error)
                breakOff()
                return false
            }
        case .absent, .unknownEncoding: bytes = []
        }
        let hasNUL = bytes.contains(0)
        out.fetchBinaryHead(part: part, origin: origin, length: bytes.count, hasNUL: hasNUL)
        out.bytes.append(contentsOf: bytes)
        return true
    }

    /// Octets of the message, a bounded piece at a time.
    private func writePieces(_ range: Range<Int>, _ message: inout OpenMessage) async -> Bool {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let end = min(range.upperBound, offset + IMAPConnection.pieceBytes)
            do throws(StoreError) {
                let piece = try await message.read(offset..<end)
                guard piece.count == end - offset else { throw .corrupt(reason: "a message is shorter than its size") }
                piece.withUnsafeBytes { out.body($0) }
            } catch {
                // The client has been promised octets that are not there: there is no other way to say so.
                reportDamage(error)
                breakOff()
                return false
            }
            offset = end
            if out.bytes.count >= IMAPConnection.pieceBytes { await drain() }
            if isOver { return false }
        }
        return true
    }

    private func reportDamage(_ error: StoreError) {
        service.logger.error(
            "a message could not be read", metadata: ["reason": "\(error)", "connection": "\(connection.number)"])
    }
}
