/// The version of all programs of this project, as `--version` and the `hello` message say it (CHANGELOG.md).
public enum PuckVersion {
    public static let text = "0.1.0"
}
