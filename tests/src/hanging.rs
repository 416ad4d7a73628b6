//! A file system that stops answering on request, like one on a server that is gone.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo,
    LockOwner, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEntry, Request, SessionACL,
};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use tempfile::TempDir;

use crate::node::Node;

/// Nothing is remembered by the kernel: each look is a question.
const TTL: Duration = Duration::ZERO;

/// A mounted directory of files that never change. When this is dropped, all waiting requests are answered, and it is
/// unmounted.
#[derive(Debug)]
pub struct HangingDirectory {
    switch: Arc<Switch>,
    // Dropped before the directory that it is mounted on.
    _session: BackgroundSession,
    directory: TempDir,
}

/// A file of a [`HangingDirectory`].
#[derive(Debug, Clone)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    /// Its files.
    pub content: Vec<u8>,
    /// Its permissions.
    pub mode: u16,
}

#[derive(Debug, Default)]
struct Switch {
    hangs: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicUsize,
}

impl HangingDirectory {
    /// Mounts files, root's, named for where they will be; they can be read until [`hang`](HangingDirectory::hang).
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn mount(files: impl FnOnce(&Path) -> Vec<File>) -> Result<HangingDirectory> {
        HangingDirectory::mount_by(files, spawn)
    }

    /// The same, in the mount namespace of `node`, where the machine's own do not see it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn mount_in(node: &Node, files: impl FnOnce(&Path) -> Vec<File>) -> Result<HangingDirectory> {
        let mounts = fs::File::open(format!("/proc/{}/ns/mnt", node.init()))?;
        HangingDirectory::mount_by(files, |tree, path| {
            // A thread of its own, which takes its namespace along into its end.
            let mounted = thread::scope(|scope| {
                let enter = || {
                    unshare(CloneFlags::CLONE_FS)?;
                    setns(mounts, CloneFlags::CLONE_NEWNS)?;
                    spawn(tree, path)
                };
                scope.spawn(enter).join()
            });
            mounted.map_err(|_| anyhow!("it panicked"))?
        })
    }

    fn mount_by(
        files: impl FnOnce(&Path) -> Vec<File>,
        spawn: impl FnOnce(Tree, &Path) -> Result<BackgroundSession>,
    ) -> Result<HangingDirectory> {
        let directory = tempfile::tempdir()?;
        let switch = Arc::new(Switch::default());
        let tree = Tree {
            files: files(directory.path()),
            switch: switch.clone(),
        };
        Ok(HangingDirectory {
            switch,
            _session: spawn(tree, directory.path())?,
            directory,
        })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where a file is.
    pub fn file(&self, name: &str) -> String {
        self.path().join(name).to_string_lossy().into_owned()
    }

    /// Nothing is answered from now on.
    pub fn hang(&self) {
        self.switch.set(true);
    }

    /// Whether somebody waits for an answer.
    pub fn is_waited_for(&self) -> bool {
        self.switch.waiting.load(Ordering::SeqCst) > 0
    }

    /// Everything is answered again, what was asked meanwhile too.
    pub fn answer(&self) {
        self.switch.set(false);
    }
}

fn spawn(tree: Tree, path: &Path) -> Result<BackgroundSession> {
    let mut config = Config::default();
    config.acl = SessionACL::All;
    fuser::spawn_mount(tree, path, &config).context("mount a FUSE file system")
}

impl Drop for HangingDirectory {
    fn drop(&mut self) {
        self.answer();
        // The session would not unmount what a process still has open. In the mounts of a node this finds nothing: they
        // end with it.
        let _ = umount2(self.directory.path(), MntFlags::MNT_DETACH);
    }
}

impl Switch {
    fn set(&self, hangs: bool) {
        *self.hangs.lock().unwrap_or_else(PoisonError::into_inner) = hangs;
        self.changed.notify_all();
    }

    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let hangs = self.hangs.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(hangs, |hangs| *hangs));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Tree {
    files: Vec<File>,
    switch: Arc<Switch>,
}

impl Tree {
    /// The first file has the number after the root's.
    fn number(index: usize) -> INodeNo {
        INodeNo(index as u64 + 2)
    }

    fn file(&self, number: INodeNo) -> Option<&File> {
        let index = usize::try_from(u64::from(number).checked_sub(2)?).ok()?;
        self.files.get(index)
    }

    fn about(&self, number: INodeNo) -> Option<FileAttr> {
        let (kind, perm, size) = match self.file(number) {
            Some(file) => (FileType::RegularFile, file.mode, file.content.len() as u64),
            None if number == INodeNo::ROOT => (FileType::Directory, 0o755, 0),
            None => return None,
        };
        Some(FileAttr {
            ino: number,
            size,
            blocks: size.div_ceil(512),
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }
}

impl Filesystem for Tree {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.switch.wait();
        let index = self.files.iter().position(|file| name == file.name);
        match index.and_then(|index| self.about(Tree::number(index))) {
            Some(about) => reply.entry(&TTL, &about, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.switch.wait();
        match self.about(number) {
            Some(about) => reply.attr(&TTL, &about),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.switch.wait();
        let content = self.file(number).map_or(&[][..], |file| &file.content);
        let from = content.len().min(offset as usize);
        let to = content.len().min(from + size as usize);
        reply.data(&content[from..to]);
    }

    fn readdir(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        self.switch.wait();
        let files = self.files.iter().enumerate();
        let entries = files.map(|(index, file)| (Tree::number(index), FileType::RegularFile, file.name));
        let here = [".", ".."].map(|name| (INodeNo::ROOT, FileType::Directory, name));
        let all = here.into_iter().chain(entries).enumerate();
        for (index, (number, kind, name)) in all.skip(offset as usize) {
            if reply.add(number, index as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }
}
