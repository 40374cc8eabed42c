/// What to do about a file that cannot be written, by errno. Nil for errors of which the system's words say all there is.
/// The numbers are Linux's, the same on x86 and ARM (asm-generic/errno-base.h, errno.h).
public func storageAdvice(errno code: Int32) -> String? {
    switch code {
    case 28: "the disk is full: free some space on it"  // ENOSPC
    case 122: "the disk quota of this user is used up: delete files, or raise it"  // EDQUOT
    case 30:  // EROFS
        "the file system is read-only: mount it writable ('mount -o remount,rw'), and see in 'dmesg' why it is not"
    case 1, 13:  // EPERM, EACCES
        "this user may not write there: run it as the user that the folder belongs to, or with sudo"
    case 2: "there is no such folder: make it"  // ENOENT
    case 5: "the disk reports errors: see 'dmesg', and replace it"  // EIO
    case 27: "a limit on the size of files forbids it: see 'ulimit -f', or LimitFSIZE= of the unit"  // EFBIG
    default: nil
    }
}

/// What a file that is being written is called until it is whole: its own name with this behind it. One name only, so that
/// a crash leaves one such file at most, which the next start removes.
public let unfinishedSuffix = ".puck-unfinished"
