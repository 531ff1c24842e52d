/// Which of several certificates is for a name that a client asks for (RFC 6066 §3), by the names that stand in them.
///
/// A name as it is goes before a wildcard, which stands for the left-most label alone and for the whole of it (RFC 9525 §6.3).
/// Of two certificates with the same name the first is taken.
package struct CertificateTable: Sendable, Hashable {
    private var exact: [String: Int] = [:]
    /// By what stands behind `*.`.
    private var wildcards: [String: Int] = [:]

    /// - Parameter names: the DNS names of each certificate. A name with `*` elsewhere than in front is nobody's.
    package init(names: [[String]]) {
        for (index, names) in names.enumerated() {
            for name in names {
                let name = CertificateTable.folded(name)
                if !name.contains("*") {
                    if exact[name] == nil { exact[name] = index }
                } else if name.hasPrefix("*."), !name.dropFirst(2).contains("*") {
                    let rest = String(name.dropFirst(2))
                    if wildcards[rest] == nil { wildcards[rest] = index }
                }
            }
        }
    }

    /// The certificate's place in the list; nil when none is for this name. O(1).
    package func index(for serverName: String) -> Int? {
        let name = CertificateTable.folded(serverName)
        if let index = exact[name] { return index }
        // The wildcard's label is one that is there.
        guard let dot = name.firstIndex(of: "."), dot > name.startIndex else { return nil }
        return wildcards[String(name[name.index(after: dot)...])]
    }

    /// Lower case, without the dot of the root, which does not belong on the wire (RFC 6066 §3) and comes all the same.
    private static func folded(_ name: String) -> String {
        let name = name.lowercased()
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }
}
