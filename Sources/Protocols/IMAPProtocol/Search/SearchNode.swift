internal import MartletBytes
internal import MartletCore

extension SearchProgram {
    /// Fields that the summary holds, with their names.
    enum SummaryField: String, Sendable, CaseIterable {
        case subject, from, to, cc, bcc
        case messageID = "message-id"
    }

    /// A key, resolved. Depth is bounded by the parser (`IMAPLimits.searchDepth`).
    indirect enum Node: Sendable {
        case constant(Bool)
        /// All bits of the mask are set.
        case flags(UInt64)
        case noFlags(UInt64)
        case recent
        case positions(PositionSet)
        /// INTERNALDATE's day; microseconds, upper bound excluded.
        case internalDate(Range<Int64>)
        case sentDay(ClosedRange<Int64>)
        case larger(UInt64)
        case smaller(UInt64)
        case modSeq(Int64)
        /// SUBJECT, FROM, …: the envelope's field, which is the summary's unless that was cut.
        case summary(SummaryField, FoldedText)
        /// HEADER: every field of the name.
        case header(name: String, FoldedText)
        case body(FoldedText)
        case text(FoldedText)
        case not(Node)
        case or(Node, Node)
        /// Cheap first.
        case and([Node])

        var tier: SearchTier {
            switch self {
            case .constant, .flags, .noFlags, .recent, .positions, .internalDate, .larger, .smaller, .modSeq: .index
            case .summary, .sentDay: .summary
            case .header: .header
            case .body, .text: .text
            case .not(let node): node.tier
            case .or(let left, let right): max(left.tier, right.tier)
            case .and(let nodes): nodes.map(\.tier).max() ?? .index
            }
        }

        /// Positions outside of which nothing matches; nil when any might.
        var bounds: PositionSet? {
            switch self {
            case .positions(let set): return set
            case .constant(false): return PositionSet()
            case .and(let nodes):
                let all = nodes.compactMap(\.bounds)
                return all.dropFirst().reduce(all.first) { $0?.intersection($1) }
            case .or(let left, let right):
                guard let a = left.bounds, let b = right.bounds else { return nil }
                return PositionSet(a.ranges + b.ranges)
            default: return nil
            }
        }
    }
}

extension SearchProgram.Node {
    init(_ key: SearchKey, _ context: SearchProgram.Context) {
        switch key {
        case .all: self = .constant(true)
        case .has(let flags): self = .flags(flags.rawValue)
        case .hasNot(let flags): self = .noFlags(flags.rawValue)
        case .keyword(let name): self = Self.bit(name, context).map { .flags($0) } ?? .constant(false)
        case .unkeyword(let name): self = Self.bit(name, context).map { .noFlags($0) } ?? .constant(true)
        case .recent: self = .recent
        case .new: self = .and([.recent, .noFlags(SystemFlags.seen.rawValue)])
        case .old: self = .not(.recent)
        case .bcc(let text): self = .summary(.bcc, FoldedText(text))
        case .cc(let text): self = .summary(.cc, FoldedText(text))
        case .from(let text): self = .summary(.from, FoldedText(text))
        case .subject(let text): self = .summary(.subject, FoldedText(text))
        case .to(let text): self = .summary(.to, FoldedText(text))
        case .body(let text): self = text.isEmpty ? .constant(true) : .body(FoldedText(text))
        case .text(let text): self = text.isEmpty ? .constant(true) : .text(FoldedText(text))
        case .header(let name, let value): self = Self.header(name, value)
        case .before(let day): self = .internalDate(.min..<Self.start(of: day))
        case .on(let day):
            self = .internalDate(Self.start(of: day)..<Self.start(of: CalendarDay(number: day.number + 1)))
        case .since(let day): self = .internalDate(Self.start(of: day)..<(.max))
        case .sentBefore(let day): self = .sentDay(.min...(day.number - 1))
        case .sentOn(let day): self = .sentDay(day.number...day.number)
        case .sentSince(let day): self = .sentDay(day.number...(.max))
        case .larger(let size): self = .larger(size)
        case .smaller(let size): self = .smaller(size)
        case .sequence(.savedResult), .uid(.savedResult):
            self = .positions(SequenceSet.positions(of: context.saved, in: context.uids))
        case .sequence(let set): self = .positions(set.clampedPositions(count: context.uids.count))
        case .uid(let set): self = .positions(set.positions(ofUIDsIn: context.uids, saved: context.saved))
        case .modSeq(let value): self = .modSeq(Int64(clamping: value))
        case .older(let seconds):
            let edge = context.now.microseconds.subtractingReportingOverflow(Int64(seconds) * 1_000_000)
            self =
                edge.overflow || edge.partialValue == .max
                ? .constant(false) : .internalDate(.min..<edge.partialValue + 1)
        case .younger(let seconds):
            let edge = context.now.microseconds.subtractingReportingOverflow(Int64(seconds) * 1_000_000)
            self = edge.overflow ? .constant(true) : .internalDate(edge.partialValue..<(.max))
        case .not(let key): self = .not(Self(key, context))
        case .or(let left, let right):
            let nodes = [Self(left, context), Self(right, context)]
            self = nodes[1].tier < nodes[0].tier ? .or(nodes[1], nodes[0]) : .or(nodes[0], nodes[1])
        case .and(let keys):
            // Stable by tier: among equals the client's order stands.
            let nodes = keys.map { Self($0, context) }
            self = .and(
                [SearchTier.index, .summary, .header, .text].flatMap { tier in nodes.filter { $0.tier == tier } })
        }
    }

    private static func bit(_ name: String, _ context: SearchProgram.Context) -> UInt64? {
        guard let index = context.keywords.firstIndex(where: { ASCII.equalsIgnoringCase($0.utf8, name.utf8) }),
            index < 59
        else {
            return nil
        }
        return 1 << UInt64(5 + index)
    }

    /// A message has one Message-ID, and clients look for it in whole mailboxes: the summary's is enough. Other fields may
    /// stand in a header twice, and the summary has the first one only.
    private static func header(_ name: String, _ value: String) -> Self {
        let text = FoldedText(value)
        if !value.isEmpty, ASCII.equalsIgnoringCase(name.utf8, SearchProgram.SummaryField.messageID.rawValue.utf8) {
            return .summary(.messageID, text)
        }
        return .header(name: name, text)
    }

    /// The first microsecond of the day in UTC: time and zone are disregarded (RFC 9051 §6.4.4).
    private static func start(of day: CalendarDay) -> Int64 { day.number * 86_400_000_000 }

    func evaluate(_ facts: SearchProgram.Facts) -> SearchVerdict {
        switch self {
        case .constant(let value): return Self.verdict(value)
        case .flags(let mask): return Self.verdict(facts.index.flags & mask == mask)
        case .noFlags(let mask): return Self.verdict(facts.index.flags & mask == 0)
        case .recent: return Self.verdict(facts.index.isRecent)
        case .positions(let set): return Self.verdict(set.contains(facts.index.position))
        case .internalDate(let range): return Self.verdict(range.contains(facts.index.internalDate.microseconds))
        case .larger(let size): return Self.verdict(UInt64(clamping: facts.index.size) > size)
        case .smaller(let size): return Self.verdict(UInt64(clamping: facts.index.size) < size)
        case .modSeq(let least): return Self.verdict(facts.index.modSeq >= least)
        case .sentDay(let days):
            guard let summary = facts.summary else { return .needs(.summary) }
            guard let date = summary.sentDate else { return .noMatch }
            return Self.verdict(days.contains(CalendarDay(date, zoneMinutes: summary.sentZoneMinutes).number))
        case .summary(let field, let needle):
            guard let summary = facts.summary else { return .needs(.summary) }
            if FoldedText.text(summary.text(of: field), contains: needle) { return .match }
            guard summary.mayLack(field, messageSize: facts.index.size) else { return .noMatch }
            guard let header = facts.header else { return .needs(.header) }
            return Self.verdict(header.has(field.rawValue, needle))
        case .header(let name, let needle):
            // What the summary has need not be read. That a field is there it does not say.
            let field =
                needle.isEmpty
                ? nil
                : SearchProgram.SummaryField.allCases.first { ASCII.equalsIgnoringCase($0.rawValue.utf8, name.utf8) }
            if let field, let summary = facts.summary, FoldedText.text(summary.text(of: field), contains: needle) {
                return .match
            }
            if let header = facts.header { return Self.verdict(header.has(name, needle)) }
            return .needs(field != nil && facts.summary == nil ? .summary : .header)
        case .body(let needle):
            guard let text = facts.text else { return .needs(.text) }
            return Self.verdict(text.parts.contains { $0.contains(needle) })
        case .text(let needle):
            return evaluateText(needle, facts)
        case .not(let node):
            switch node.evaluate(facts) {
            case .match: return .noMatch
            case .noMatch: return .match
            case .needs(let tier): return .needs(tier)
            }
        case .or(let left, let right):
            let first = left.evaluate(facts)
            if first == .match { return .match }
            let second = right.evaluate(facts)
            if second == .match { return .match }
            return Self.cheaper(first, second, decided: .noMatch)
        case .and(let nodes):
            var result = SearchVerdict.match
            for node in nodes {
                let verdict = node.evaluate(facts)
                if verdict == .noMatch { return .noMatch }
                result = Self.cheaper(result, verdict, decided: .match)
            }
            return result
        }
    }

    /// TEXT: header, the parts' MIME headers, or body (RFC 9051 §6.4.4). A field's name counts as well as its value.
    private func evaluateText(_ needle: FoldedText, _ facts: SearchProgram.Facts) -> SearchVerdict {
        if let header = facts.header {
            if header.fields.contains(where: { FoldedText.text("\($0.name): \($0.value)", contains: needle) }) {
                return .match
            }
        }
        if let text = facts.text,
            text.parts.contains(where: { $0.contains(needle) })
                || text.partHeaders.contains(where: { $0.contains(needle) })
        {
            return .match
        }
        if facts.header == nil { return .needs(.header) }
        return facts.text == nil ? .needs(.text) : .noMatch
    }

    /// Of two that may need facts, the need that is cheaper to meet; `decided` when neither needs any.
    private static func cheaper(_ left: SearchVerdict, _ right: SearchVerdict, decided: SearchVerdict) -> SearchVerdict
    {
        switch (left, right) {
        case (.needs(let a), .needs(let b)): .needs(min(a, b))
        case (.needs, _): left
        case (_, .needs): right
        default: decided
        }
    }

    @inline(__always)
    private static func verdict(_ value: Bool) -> SearchVerdict { value ? .match : .noMatch }
}

extension HeaderFacts {
    /// Whether `needle` stands in a field of this name.
    func has(_ name: String, _ needle: FoldedText) -> Bool {
        fields.contains {
            ASCII.equalsIgnoringCase($0.name.utf8, name.utf8) && FoldedText.text($0.value, contains: needle)
        }
    }
}

extension SummaryFacts {
    /// Whether the header's field may hold more than the summary's text.
    ///
    /// A field was cut at `keptOctets` before its encoded words were decoded. That leaves an eighth of them and more, except of
    /// texts that nobody writes; and a message that is smaller was not cut at all.
    func mayLack(_ field: SearchProgram.SummaryField, messageSize: Int) -> Bool {
        switch field {
        case .subject, .from, .to, .cc, .bcc:
            messageSize > keptOctets && text(of: field).utf8.count >= keptOctets / 8
        case .messageID:
            // A field that holds no identifier in angle brackets is in no summary.
            messageID == nil
        }
    }

    func text(of field: SearchProgram.SummaryField) -> String {
        switch field {
        case .subject: subject
        case .from: from
        case .to: to
        case .cc: cc
        case .bcc: bcc
        case .messageID: messageID ?? ""
        }
    }
}
