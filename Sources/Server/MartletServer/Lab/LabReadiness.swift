/// The line that says a lab is ready: on standard output and in `lab.json`, the same (Docs/lab.md).
package struct LabReadiness: Sendable, Hashable {
    package var pid: Int32
    package var domain: String
    package var users: Int
    package var password: String
    package var authority: String
    /// Services that listen, in the order of the contract.
    package var ports: [(service: String, port: Int)]

    package static func == (left: LabReadiness, right: LabReadiness) -> Bool { left.json == right.json }
    package func hash(into hasher: inout Hasher) { hasher.combine(json) }

    package init(
        pid: Int32, domain: String, users: Int, password: String, authority: String,
        ports: [(service: String, port: Int)]
    ) {
        self.pid = pid
        self.domain = domain
        self.users = users
        self.password = password
        self.authority = authority
        self.ports = ports
    }

    /// One line of JSON, without its LF. Keys in the order of the contract.
    package var json: String {
        let ports = ports.map { "\(JSONText.string($0.service)):\($0.port)" }.joined(separator: ",")
        return
            "{\"ready\":true,\"pid\":\(pid),\"domain\":\(JSONText.string(domain)),\"users\":\(users),\"password\":\(JSONText.string(password)),"
            + "\"ca\":\(JSONText.string(authority)),\"ports\":{\(ports)}}"
    }
}
