import MartletServer
import Synchronization
import Testing

@Suite("A look at what may hang")
struct PatientLookTests {
    /// What is looked at: it answers when it is let, and counts the looks.
    private final class Disk: Sendable {
        private let state = Mutex((looks: 0, waiting: [CheckedContinuation<Void, Never>](), isOpen: false))

        var looks: Int { state.withLock { $0.looks } }

        func look() async -> Int {
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    state.looks += 1
                    if !state.isOpen { state.waiting.append(continuation) }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
            return looks
        }

        func open() {
            let waiting = state.withLock { state in
                defer { state.waiting = [] }
                state.isOpen = true
                return state.waiting
            }
            for one in waiting { one.resume() }
        }
    }

    @Test("What answers in time is seen, and looked at anew each time")
    func answers() async {
        let disk = Disk()
        disk.open()
        let look = PatientLook(patience: .seconds(60)) { await disk.look() }
        #expect(await look() == 1)
        #expect(await look() == 2)
    }

    @Test("What hangs is not known, nobody waits for it twice, and it is there once")
    func hangs() async {
        let disk = Disk()
        let look = PatientLook(patience: .milliseconds(20)) { await disk.look() }
        for _ in 0..<50 { #expect(await look() == nil) }
        #expect(disk.looks <= 1)
        disk.open()
        // That of the one that hung, or of the one after it.
        var answer: Int?
        for _ in 0..<10_000 where answer == nil { answer = await look() }
        #expect(answer != nil && answer == disk.looks)
    }

    @Test("An answer that came too late is the next one's, where answers are good for a while")
    func late() async {
        let disk = Disk()
        let look = PatientLook(patience: .milliseconds(20), rest: 1_000_000) { await disk.look() }
        #expect(await look() == nil)
        disk.open()
        var answer: Int?
        for _ in 0..<10_000 where answer == nil { answer = await look() }
        #expect(answer == 1)
        #expect(await look() == 1)
        #expect(disk.looks == 1)
    }

    @Test("All who ask at once share one look")
    func shared() async {
        let disk = Disk()
        let look = PatientLook(patience: .seconds(60), rest: 1_000_000) { await disk.look() }
        let answers = await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<20 { group.addTask { await look() } }
            group.addTask {
                disk.open()
                return 1
            }
            var answers: [Int?] = []
            for await answer in group { answers.append(answer) }
            return answers
        }
        #expect(answers.allSatisfy { $0 == 1 })
        #expect(disk.looks == 1)
    }
}
