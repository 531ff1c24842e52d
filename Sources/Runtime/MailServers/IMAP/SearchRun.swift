internal import IMAPProtocol
internal import MailStore
internal import MartletCore
internal import MessageFormat
internal import Synchronization

/// One SEARCH at work: the program, the messages that can match, and where facts about them come from.
struct SearchRun: Sendable {
    /// Messages that are judged by the index without a pause.
    static let indexPiece = 65_536
    /// Messages that are read before the session looks whether its client is still there.
    static let messagePiece = 64
    /// From so many undecided messages on the store walks its summaries instead of being asked for each.
    private static let scanFrom = 512
    private static let summaryPiece = 256

    let program: SearchProgram
    let targets: FetchTargets
    let index: MailboxIndex
    let key: MailboxKey
    let store: any MailboxStore
    let budget: SearchBudget

    private func facts(_ number: Int) -> IndexFacts {
        let (sequence, place) = targets[number]
        return IndexFacts(
            position: sequence - 1, uid: index.uids[place], flags: index.flags[place], modSeq: index.modSeqs[place],
            internalDate: Instant(microseconds: index.internalDates[place]), size: Int(index.sizes[place]))
    }

    private func uid(_ number: Int) -> UInt32 { index.uids[targets[number].place] }

    // MARK: Index

    func judgeByIndex(_ range: Range<Int>, _ found: inout [Int], _ needSummary: inout [Int], _ needMessage: inout [Int])
    {
        if program.matchesAllCandidates {
            found.append(contentsOf: range)
            return
        }
        for number in range {
            switch program.evaluate(facts(number)) {
            case .match: found.append(number)
            case .noMatch: break
            case .needs(.index), .needs(.summary): needSummary.append(number)
            case .needs(.header), .needs(.text): needMessage.append(number)
            }
        }
    }

    // MARK: Summaries

    private struct Judged {
        var matched: [Int] = []
        var open: [Int] = []
        /// The place in the list of undecided messages up to which summaries have come.
        var next = 0
    }

    /// Judges `numbers`, ascending, by their summaries. What needs more than that is given back as `open`.
    /// - Parameters:
    ///   - damaged: gets the messages whose summary is damaged; they are neither matched nor open.
    ///   - isWanted: asked before each batch, from any thread; when it says no, the result is not complete.
    func judgeBySummaries(
        _ numbers: [Int], _ damaged: inout DamagedMessages, while isWanted: @escaping @Sendable () -> Bool
    ) async throws(StoreError) -> (matched: [Int], open: [Int]) {
        guard let first = numbers.first, let last = numbers.last else { return ([], []) }
        let state = Mutex(Judged())
        let body: @Sendable ([(uid: UInt32, summary: StoredSummary)]) -> Bool = { batch in
            isWanted() && state.withLock { judge(batch, of: numbers, &$0) }
        }
        var next = 0
        if numbers.count >= SearchRun.scanFrom, (last - first + 1) / numbers.count < 4 {
            do throws(StoreError) {
                try await store.scanSummaries(in: key, range: uid(first)...uid(last), body)
                next = numbers.count
            } catch {
                // The walk ends at a damaged summary; behind the last batch each is asked for.
                guard case .corrupt = error else { throw error }
                next = state.withLock { $0.next }
            }
        }
        for start in stride(from: next, to: numbers.count, by: SearchRun.summaryPiece) {
            let piece = numbers[start..<min(start + SearchRun.summaryPiece, numbers.count)]
            let batch = try await store.readableSummaries(in: key, uids: piece.map { uid($0) }, &damaged)
            guard body(batch) else { break }
        }
        return state.withLock { ($0.matched, $0.open) }
    }

    /// Both lists ascend by UID. Returns whether there are undecided messages behind the batch.
    private func judge(_ batch: [(uid: UInt32, summary: StoredSummary)], of numbers: [Int], _ state: inout Judged)
        -> Bool
    {
        for (uid, summary) in batch {
            while state.next < numbers.count, self.uid(numbers[state.next]) < uid { state.next += 1 }
            guard state.next < numbers.count else { return false }
            let number = numbers[state.next]
            guard self.uid(number) == uid else { continue }
            state.next += 1
            switch program.evaluate(facts(number), summary: SummaryFacts(summary)) {
            case .match: state.matched.append(number)
            case .noMatch: break
            case .needs: state.open.append(number)
            }
        }
        return state.next < numbers.count
    }

    // MARK: Messages

    /// Judges by reading, beside the event loop. Damaged messages are told and not matched.
    @concurrent func judgeByMessages(
        _ numbers: [Int]
    ) async throws(StoreError) -> (matched: [Int], damaged: DamagedMessages) {
        var damaged = DamagedMessages()
        var summaries: [UInt32: StoredSummary] = [:]
        if program.needsSummaries {
            let uids = numbers.map { uid($0) }
            // A message without its summary is judged by what is read of it.
            var unsummarised = DamagedMessages()
            for (uid, summary) in try await store.readableSummaries(in: key, uids: uids, &unsummarised) {
                summaries[uid] = summary
            }
        }
        var matched: [Int] = []
        for number in numbers {
            let summary = summaries[uid(number)].map { SummaryFacts($0) }
            do throws(StoreError) {
                let reader = try await store.message(in: key, uid: uid(number))
                if try await judge(facts(number), summary, reader) { matched.append(number) }
            } catch {
                switch error {
                case .noSuchMessage: continue
                case .corrupt(let reason): damaged.add(uid(number), reason: reason)
                default: throw error
                }
            }
        }
        return (matched, damaged)
    }

    private func judge(_ facts: IndexFacts, _ summary: SummaryFacts?, _ reader: any MessageReading)
        async throws(StoreError) -> Bool
    {
        let needsText = program.tier > .header
        let octets = needsText ? reader.size : min(reader.size, MessageText.headerBytes)
        await budget.take(octets)
        defer { budget.giveBack(octets) }
        let content = MessageText(try await reader.read(0..<octets))
        let header = content.header()
        switch program.evaluate(facts, summary: summary, header: header) {
        case .match: return true
        case .noMatch: return false
        case .needs:
            return needsText
                && program.evaluate(facts, summary: summary, header: header, text: content.text()) == .match
        }
    }

    // MARK: Results

    /// What SAVE keeps (RFC 5182 §2.1): with MIN or MAX and neither ALL nor COUNT, only these.
    func saved(_ found: [Int], _ returns: SearchReturn) -> [UInt32] { relevant(found, returns).map { uid($0) } }

    /// The messages that the result is about: all, or the ones of MIN and MAX when nothing else is asked.
    func relevant(_ found: [Int], _ returns: SearchReturn) -> [Int] {
        guard returns.isDisjoint(with: [.all, .count]), !returns.isDisjoint(with: [.min, .max]) else { return found }
        guard let first = found.first, let last = found.last else { return [] }
        var ends: [Int] = []
        if returns.contains(.min) { ends.append(first) }
        if returns.contains(.max), ends.last != last { ends.append(last) }
        return ends
    }

    func highestModSeq(_ found: [Int]) -> UInt64? {
        found.map { index.modSeqs[targets[$0].place] }.max().map { UInt64(clamping: $0) }
    }
}

extension SearchProgram {
    /// Whether summaries may be asked for when messages are read: then they are given from the start.
    var needsSummaries: Bool { tier >= .summary }
}

extension SummaryFacts {
    init(_ summary: StoredSummary) {
        self.init(
            subject: summary.subject, from: summary.from, to: summary.to, cc: summary.cc, bcc: summary.bcc,
            messageID: summary.messageID,
            sentDate: summary.sentDate, sentZoneMinutes: summary.sentZoneMinutes,
            keptOctets: MessageLimits.default.maximumSummaryText)
    }
}
