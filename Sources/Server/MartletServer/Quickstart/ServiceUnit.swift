/// The systemd unit of a server: it runs as its user in a sandbox in which the data directory alone can be written, with
/// the one capability of binding low ports (systemd.exec(5)).
package struct ServiceUnit: Sendable {
    package static let name = "martlet.service"

    package let program: String
    package let configurationFile: String
    package let dataDirectory: String
    package let user: String
    /// Further files that are read: certificate and key.
    package let files: [String]

    package init(program: String, configurationFile: String, dataDirectory: String, user: String, files: [String] = [])
    {
        self.program = program
        self.configurationFile = configurationFile
        self.dataDirectory = dataDirectory
        self.user = user
        self.files = files
    }

    package var text: String {
        let paths = [program, configurationFile, dataDirectory] + files
        let usesHomes = paths.contains { path in
            ["/home/", "/root/", "/run/user/"].contains { path.hasPrefix($0) }
        }
        let usesTemporary = paths.contains { $0.hasPrefix("/tmp/") || $0.hasPrefix("/var/tmp/") }
        return """
            # Written by “martlet quickstart”. Changes of your own belong into “systemctl edit martlet”.
            [Unit]
            Description=Martlet mail server
            Wants=network-online.target
            After=network-online.target nss-lookup.target time-sync.target

            [Service]
            Type=notify
            ExecStart=\(ServiceUnit.quoted(program)) serve --config \(ServiceUnit.quoted(configurationFile))
            ExecReload=/bin/kill -HUP $MAINPID
            User=\(user)
            Restart=on-failure
            RestartSec=5s
            # A store of an older version is brought up to date at the start.
            TimeoutStartSec=1h
            TimeoutStopSec=11min
            LimitNOFILE=524288
            UMask=0077
            \(storage)
            RuntimeDirectory=martlet

            # Ports below 1024, and no other right.
            AmbientCapabilities=CAP_NET_BIND_SERVICE
            CapabilityBoundingSet=CAP_NET_BIND_SERVICE
            NoNewPrivileges=yes

            ProtectSystem=strict
            ProtectHome=\(usesHomes ? "read-only" : "yes")
            PrivateTmp=\(usesTemporary ? "no" : "yes")
            PrivateDevices=yes
            PrivateMounts=yes
            ProcSubset=pid
            ProtectClock=yes
            ProtectControlGroups=yes
            ProtectHostname=yes
            ProtectKernelLogs=yes
            ProtectKernelModules=yes
            ProtectKernelTunables=yes
            ProtectProc=invisible
            LockPersonality=yes
            MemoryDenyWriteExecute=yes
            RemoveIPC=yes
            RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
            RestrictNamespaces=yes
            RestrictRealtime=yes
            RestrictSUIDSGID=yes
            SystemCallArchitectures=native
            SystemCallFilter=@system-service
            SystemCallFilter=~@privileged
            SystemCallErrorNumber=EPERM

            [Install]
            WantedBy=multi-user.target

            """
    }

    /// What can be written.
    private var storage: String {
        let states = "/var/lib/"
        let name = dataDirectory.dropFirst(states.count)
        guard dataDirectory.hasPrefix(states), !name.isEmpty, name.utf8.allSatisfy(ServiceUnit.isPlain) else {
            return "ReadWritePaths=\(ServiceUnit.quoted(dataDirectory))"
        }
        return "StateDirectory=\(name)\nStateDirectoryMode=0700"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
    }

    /// As systemd.syntax(7) reads it: in quotation marks, with `%` and `$` as themselves.
    static func quoted(_ text: String) -> String {
        var result = ""
        var needsMarks = text.isEmpty
        for scalar in text.unicodeScalars {
            switch scalar {
            case "%": result += "%%"
            case "$": result += "$$"
            case "\"", "\\":
                result += "\\"
                result.unicodeScalars.append(scalar)
                needsMarks = true
            default:
                if scalar == " " || scalar == "'" || scalar == ";" { needsMarks = true }
                result.unicodeScalars.append(scalar)
            }
        }
        return needsMarks ? "\"\(result)\"" : result
    }
}
