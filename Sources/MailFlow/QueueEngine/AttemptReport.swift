/// What an attempt came to, as the shell that spoke to the other server tells it.
public struct AttemptReport: Sendable, Hashable {
    /// What was learnt of the destination, whatever became of the message.
    public enum Connection: Sendable, Hashable {
        /// Nothing: the attempt was decided or given up before a server was asked.
        case unknown
        /// No server was reached: no answer from DNS, refused, timed out, no TLS where it is asked for.
        case unreachable(reply: String)
        /// A server was reached that does not want to talk now: greeted with 4yz or 5yz, 421, or hung up in the middle.
        case refused(reply: String)
        /// The session was held, with whatever replies.
        case worked
    }

    /// For one recipient.
    public enum Result: Sendable, Hashable {
        /// The other side has taken responsibility. - announcesDSN: its EHLO did, so that success is its to tell.
        case relayed(reply: String, announcesDSN: Bool)
        /// May work later: 4yz, or no reply.
        case temporary(reply: String)
        /// Will not work: 5yz, no such domain, null MX.
        case permanent(reply: String)
        /// Was not asked for; tried again without counting.
        case notTried
    }

    public var connection: Connection
    /// By recipient number, where it has a result of its own.
    public var results: [Int: Result]
    /// For the other recipients: what was said to the connection, to MAIL or to DATA.
    public var others: Result

    public init(connection: Connection, results: [Int: Result] = [:], others: Result) {
        self.connection = connection
        self.results = results
        self.others = others
    }

    func result(for number: Int) -> Result { results[number] ?? others }
}
