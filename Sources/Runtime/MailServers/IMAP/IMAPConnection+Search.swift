internal import IMAPProtocol
internal import MailStore
internal import MartletCore

// SEARCH (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 7162 §3.1.5).
extension IMAPConnection {
    func search(_ command: SearchCommand, tag: String) async {
        let name = command.uid ? "UID SEARCH" : "SEARCH"
        do throws(StoreError) {
            try await loadUIDs()
            guard let key = selected?.key else { return }
            let index = try await service.store.index(of: key)
            guard let view = selected, let uids = view.uids else { return }
            let program = SearchProgram(
                command.key,
                in: SearchProgram.Context(
                    uids: uids, keywords: index.keywords, saved: view.savedResult, now: service.clock.now()))
            let targets = FetchTargets(program.candidates, viewUIDs: uids, index: index, isSame: view.isSame(as: index))
            let run = SearchRun(
                program: program, targets: targets, index: index, key: key, store: service.store,
                budget: service.searchBudget)
            var damaged = DamagedMessages()
            guard let found = try await matches(run, &damaged) else { return }
            answer(command, found, run, tag: tag)
            if out.bytes.count > IMAPConnection.pieceBytes { await drain() }
            await synchronise(announcesExpunges: command.uid)
            guard damaged.isEmpty else {
                forgetResult(of: command)
                return fail(tag, damaged)
            }
            completed(tag, name)
        } catch {
            forgetResult(of: command)
            fail(tag, error)
        }
    }

    /// RFC 5182 §2.1: a SEARCH that fails leaves nothing behind `$`.
    private func forgetResult(of command: SearchCommand) {
        if command.returns?.contains(.save) == true { selected?.savedResult = [] }
    }

    /// The numbers of the targets that match, ascending: judged by the index first, what that leaves open by summaries, and the
    /// rest by reading. nil: the connection is closed.
    /// - Parameter damaged: gets the messages that cannot be judged because they are damaged.
    private func matches(_ run: SearchRun, _ damaged: inout DamagedMessages) async throws(StoreError) -> [Int]? {
        var found: [Int] = []
        var needSummary: [Int] = []
        var needMessage: [Int] = []
        var number = 0
        while number < run.targets.count {
            // A piece at a time, so that other connections of this loop get their turn.
            let end = min(number + SearchRun.indexPiece, run.targets.count)
            run.judgeByIndex(number..<end, &found, &needSummary, &needMessage)
            number = end
            if number < run.targets.count { await Task.yield() }
            if isOver { return nil }
        }
        if !needSummary.isEmpty {
            let (matched, open) = try await run.judgeBySummaries(needSummary, &damaged) {
                !self.hasEnded.load(ordering: .relaxed)
            }
            if isOver { return nil }
            found += matched
            needMessage += open
        }
        var next = 0
        while next < needMessage.count {
            let end = min(next + SearchRun.messagePiece, needMessage.count)
            let judged = try await run.judgeByMessages(Array(needMessage[next..<end]))
            found += judged.matched
            damaged.add(judged.damaged)
            next = end
            if isOver { return nil }
        }
        if isOver { return nil }
        // Each step keeps the order; their results are merged only when there was more than one.
        if !needSummary.isEmpty || !needMessage.isEmpty { found.sort() }
        return found
    }

    private func answer(_ command: SearchCommand, _ found: [Int], _ run: SearchRun, tag: String) {
        var numbers: [UInt32] = []
        numbers.reserveCapacity(found.count)
        for number in found {
            let (sequence, place) = run.targets[number]
            numbers.append(command.uid ? run.index.uids[place] : UInt32(clamping: sequence))
        }
        let returns = command.returns ?? .all
        if returns.contains(.save) { selected?.savedResult = run.saved(found, returns) }
        let modSeq = command.key.usesModSeq ? run.highestModSeq(run.relevant(found, returns)) : nil
        guard session.answersWithESearch(command) else { return out.search(numbers, modSeq: modSeq) }
        // With SAVE alone nothing is told (RFC 5182 §2.1).
        guard returns != .save else { return }
        out.esearch(tag: tag, uid: command.uid, ESearchResult(numbers, returns: returns, modSeq: modSeq))
    }
}
