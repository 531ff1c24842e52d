internal import CUnbound
internal import DNSProtocol
internal import Foundation

/// A context of libunbound, set up; it becomes the property of the thread that drives it.
///
/// Sendable although it holds a pointer: libunbound locks its contexts, and after the set-up one thread alone uses it.
struct UnboundContext: @unchecked Sendable {
    let pointer: OpaquePointer
    /// There is something to validate by.
    let validates: Bool

    /// Questions that libunbound works on at the same time, and sockets that it asks from. Its own numbers, 64 and 16, are
    /// those of a program that asks now and then.
    static let questions = 1_024
    private static let sockets = 256
    private static let tcpConnections = 32

    init(_ options: ResolverOptions) throws(ResolverSetupError) {
        guard let pointer = ub_ctx_create() else {
            throw ResolverSetupError(
                description: "libunbound cannot start: is there memory, and a readable /dev/urandom?")
        }
        self.pointer = pointer
        validates = options.trustAnchorFile != nil
        do throws(ResolverSetupError) {
            try setUp(options)
        } catch {
            ub_ctx_delete(pointer)
            throw error
        }
    }

    private func setUp(_ options: ResolverOptions) throws(ResolverSetupError) {
        // Nothing of the library's own goes to standard error: what goes wrong is in the answers.
        ub_ctx_debugout(pointer, nil)
        ub_ctx_debuglevel(pointer, 0)
        try check(ub_ctx_async(pointer, 1), "a thread")
        for (name, value) in settings(options) {
            try check(ub_ctx_set_option(pointer, name, value), "\(name) \(value)")
        }
        switch options.upstream {
        case .recursive: break
        case .forwarders(let servers):
            guard !servers.isEmpty else {
                throw ResolverSetupError(description: "no forwarder is named: name one, or have the resolver recursive")
            }
            for server in servers { try check(ub_ctx_set_fwd(pointer, server.description), "forwarder \(server)") }
        case .system: try check(ub_ctx_resolvconf(pointer, nil), "/etc/resolv.conf")
        }
        for override in options.zones {
            for server in override.servers {
                try check(
                    ub_ctx_set_stub(pointer, override.zone.description, server.description, 0),
                    "zone \(override.zone) at \(server)")
            }
        }
        if let file = options.trustAnchorFile {
            guard access(file, R_OK) == 0 else {
                throw ResolverSetupError(
                    description: "\(file): the DNSSEC trust anchor cannot be read; is the path right?")
            }
            try check(ub_ctx_add_ta_file(pointer, file), "trust anchor \(file)")
        }
        // The first question puts all of this into force. This one is answered without the network.
        var result: UnsafeMutablePointer<ub_result>?
        let status = ub_resolve(pointer, "localhost.", 1, 1, &result)
        ub_resolve_free(result)
        guard status == 0 else {
            let cause = options.trustAnchorFile.map { "; is \($0) a file with DS or DNSKEY records?" } ?? ""
            throw ResolverSetupError(description: "the resolver cannot start: \(UnboundContext.text(status))\(cause)")
        }
    }

    private func settings(_ options: ResolverOptions) -> [(String, String)] {
        var settings = [
            ("num-queries-per-thread:", "\(UnboundContext.questions)"),
            ("outgoing-range:", "\(UnboundContext.sockets)"),
            ("outgoing-num-tcp:", "\(UnboundContext.tcpConnections)"),
            ("msg-cache-size:", "\(options.cacheSize / 3)"), ("rrset-cache-size:", "\(options.cacheSize / 3 * 2)"),
            ("do-ip6:", options.usesIPv6 ? "yes" : "no"),
            // The library knows by itself that `test.` does not exist, which it does in labs. `nodefault` is taken here, and
            // changes nothing.
            ("local-zone:", "test. transparent"),
        ]
        if options.asksLoopback { settings.append(("do-not-query-localhost:", "no")) }
        if options.upstream != .recursive {
            // Who forwards may have names and reverse zones of its own network.
            settings += [("unblock-lan-zones:", "yes"), ("insecure-lan-zones:", "yes")]
        }
        settings += options.insecureZones.map { ("domain-insecure:", $0.description) }
        return settings
    }

    private func check(_ status: Int32, _ what: String) throws(ResolverSetupError) {
        guard status != 0 else { return }
        throw ResolverSetupError(
            description:
                "the resolver does not take \(what): \(UnboundContext.text(status)); correct it in the configuration")
    }

    private static func text(_ status: Int32) -> String {
        ub_strerror(status).map { String(cString: $0) } ?? "\(status)"
    }
}
