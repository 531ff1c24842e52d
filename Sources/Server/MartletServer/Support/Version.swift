internal import Glibc

/// The version of this program: what `martlet --version` prints and the control socket tells.
package enum Version {
    package static let text = "0.1.0"
}

/// The number of this process.
func processID() -> Int32 { getpid() }
