public import DNSProtocol
internal import Foundation

/// The resolver of production: libunbound, with its cache shared by all who ask.
///
/// Any number of tasks may ask at the same time. A question ends with its answer, with `.timeout` after the options' time,
/// or with `.cancelled` when its task is cancelled or the resolver closed.
public final class UnboundResolver: Resolving {
    private let loop: UnboundLoop

    /// Costs reading the trust anchor; asks nobody.
    public init(_ options: ResolverOptions) throws(ResolverSetupError) {
        let context = try UnboundContext(options)
        loop = try UnboundLoop(context: context, timeout: options.timeout)
        let loop = loop
        let thread = Thread { loop.run() }
        thread.name = "resolver"
        thread.stackSize = 1 << 20
        thread.start()
    }

    deinit { loop.stop() }

    /// Ends every question with `.cancelled`, and returns when the library's threads and sockets are gone. May be called
    /// again.
    public func close() async { await loop.stopped() }

    public func resolve(_ name: DNSName, _ type: DNSRecordType) async -> DNSAnswer {
        await loop.answer(to: DNSQuestion(name, type))
    }

    /// All at the same time.
    public func resolve(_ questions: [DNSQuestion]) async -> [DNSAnswer] {
        let loop = loop
        let answers = await withTaskGroup(of: (Int, DNSAnswer).self) { group in
            for (place, question) in questions.enumerated() {
                group.addTask { (place, await loop.answer(to: question)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        return questions.enumerated().map { place, question in
            answers[place] ?? DNSAnswer(question: question, outcome: .failure(.cancelled))
        }
    }
}
