//! Estimates the memory of a request from its bytes, before it is decoded.
//!
//! Two bytes can be an empty container, which needs hundreds as a [`Container`]: a message of 4 MiB would
//! need over a gigabyte.

use std::mem::size_of;

use crate::api::*;

/// The memory of a text besides its bytes: its place in a list, and the allocator's overhead.
const TEXT: u64 = 40;

/// The memory of a field that this version of NRI does not know: such fields are stored in a map of their
/// own.
const UNKNOWN: u64 = 256;

/// The memory of an entry of a map besides its key and value, while the map grows.
const ENTRY_OVERHEAD: usize = 100;

/// The memory of one kind of message.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The message itself, in bytes.
    bytes: u64,
    /// The highest field number of the message.
    known: u64,
    /// The fields that are messages, each with its number; an entry of a map is a message.
    parts: &'static [(u64, &'static Shape)],
}

/// Declares shapes: the type, its highest field number, and its fields that are messages.
macro_rules! shapes {
    ($($name:ident: $type:ty, $known:literal [$($number:literal $part:ident),* $(,)?];)*) => {
        $(static $name: Shape = Shape {
            bytes: size_of::<$type>() as u64,
            known: $known,
            parts: &[$(($number, &$part)),*],
        };)*
    };
}

shapes! {
    CONFIGURE: ConfigureRequest, 6 [];
    SYNCHRONIZE: SynchronizeRequest, 3 [1 POD, 2 CONTAINER];
    ONE_POD: RunPodSandboxRequest, 1 [1 POD];
    UPDATE_POD: UpdatePodSandboxRequest, 3 [1 POD, 2 RESOURCES, 3 RESOURCES];
    ONE_CONTAINER: CreateContainerRequest, 2 [1 POD, 2 CONTAINER];
    UPDATE_CONTAINER: UpdateContainerRequest, 3 [1 POD, 2 CONTAINER, 3 RESOURCES];
    STATE_CHANGE: StateChangeEvent, 3 [2 POD, 3 CONTAINER];
    VALIDATE: ValidateContainerAdjustmentRequest, 6 [1 POD, 2 CONTAINER, 3 ADJUSTMENT, 4 UPDATE, 5 OWNING, 6 INSTANCE];
    EMPTY: Empty, 0 [];

    POD: PodSandbox, 10 [5 ENTRY, 6 ENTRY, 8 LINUX_POD];
    LINUX_POD: LinuxPodSandbox, 6 [1 RESOURCES, 2 RESOURCES, 5 NAMESPACE, 6 RESOURCES];
    CONTAINER: Container, 22 [
        5 ENTRY, 6 ENTRY, 9 MOUNT, 10 HOOKS, 11 LINUX, 13 RLIMIT, 20 CDI_DEVICE, 21 USER, 22 IMAGE,
    ];
    IMAGE: Image, 3 [];
    MOUNT: Mount, 4 [];
    HOOKS: Hooks, 6 [1 HOOK, 2 HOOK, 3 HOOK, 4 HOOK, 5 HOOK, 6 HOOK];
    HOOK: Hook, 4 [4 NUMBER];
    LINUX: LinuxContainer, 12 [
        1 NAMESPACE, 2 DEVICE, 3 RESOURCES, 4 NUMBER, 6 IO_PRIORITY, 7 PROFILE, 8 SECCOMP, 9 ENTRY, 10 NET_ENTRY,
        11 SCHEDULER, 12 RDT,
    ];
    NAMESPACE: LinuxNamespace, 2 [];
    DEVICE: LinuxDevice, 7 [5 NUMBER, 6 NUMBER, 7 NUMBER];
    DEVICE_RULE: LinuxDeviceCgroup, 5 [3 NUMBER, 4 NUMBER];
    CDI_DEVICE: CDIDevice, 1 [];
    USER: User, 3 [];
    RESOURCES: LinuxResources, 8 [
        1 MEMORY, 2 CPU, 3 HUGEPAGES, 4 STRING, 5 STRING, 6 ENTRY, 7 DEVICE_RULE, 8 PIDS,
    ];
    MEMORY: LinuxMemory, 8 [
        1 NUMBER, 2 NUMBER, 3 NUMBER, 4 NUMBER, 5 NUMBER, 6 NUMBER, 7 NUMBER, 8 NUMBER,
    ];
    CPU: LinuxCPU, 7 [1 NUMBER, 2 NUMBER, 3 NUMBER, 4 NUMBER, 5 NUMBER];
    HUGEPAGES: HugepageLimit, 2 [];
    PIDS: LinuxPids, 1 [];
    PROFILE: SecurityProfile, 2 [];
    RLIMIT: POSIXRlimit, 3 [];
    IO_PRIORITY: LinuxIOPriority, 2 [];
    NET_DEVICE: LinuxNetDevice, 1 [];
    SCHEDULER: LinuxScheduler, 7 [];
    RDT: LinuxRdt, 4 [1 STRING, 2 STRINGS, 3 NUMBER];
    SECCOMP: LinuxSeccomp, 7 [2 NUMBER, 7 SYSCALL];
    SYSCALL: LinuxSyscall, 4 [3 NUMBER, 4 SYSCALL_ARGUMENT];
    SYSCALL_ARGUMENT: LinuxSeccompArg, 4 [];
    NUMBER: OptionalInt64, 1 [];
    STRING: OptionalString, 1 [];
    STRINGS: OptionalRepeatedString, 1 [];

    ADJUSTMENT: ContainerAdjustment, 9 [
        2 ENTRY, 3 MOUNT, 4 KEY_VALUE, 5 HOOKS, 6 LINUX_ADJUSTMENT, 7 RLIMIT, 8 CDI_DEVICE,
    ];
    LINUX_ADJUSTMENT: LinuxContainerAdjustment, 12 [
        1 DEVICE, 2 RESOURCES, 4 NUMBER, 5 IO_PRIORITY, 6 SECCOMP, 7 NAMESPACE, 8 ENTRY, 9 NET_ENTRY, 10 SCHEDULER,
        11 RDT, 12 MEMORY_POLICY,
    ];
    MEMORY_POLICY: LinuxMemoryPolicy, 3 [];
    KEY_VALUE: KeyValue, 2 [];
    UPDATE: ContainerUpdate, 3 [2 LINUX_UPDATE];
    LINUX_UPDATE: LinuxContainerUpdate, 1 [1 RESOURCES];
    INSTANCE: PluginInstance, 2 [];
    OWNING: OwningPlugins, 1 [1 OWNING_ENTRY];
    OWNERS: FieldOwners, 2 [1 ENTRY, 2 COMPOUND_ENTRY];
    COMPOUND: CompoundFieldOwners, 1 [1 ENTRY];
}

/// Declares the shapes of maps: the type of an entry's key and value, and the value's shape if it is a message.
macro_rules! entries {
    ($($name:ident: $type:ty, [$(2 $part:ident)?];)*) => {
        $(static $name: Shape = Shape {
            bytes: (size_of::<$type>() + ENTRY_OVERHEAD) as u64,
            known: 2,
            parts: &[$((2, &$part))?],
        };)*
    };
}

entries! {
    ENTRY: (String, String), [];
    NET_ENTRY: (String, LinuxNetDevice), [2 NET_DEVICE];
    OWNING_ENTRY: (String, FieldOwners), [2 OWNERS];
    COMPOUND_ENTRY: (i32, CompoundFieldOwners), [2 COMPOUND];
}

impl Shape {
    /// The shape of this call's request; an empty one if there is no such call.
    pub(crate) fn of_request(method: &str) -> &'static Shape {
        match method {
            "Configure" => &CONFIGURE,
            "Synchronize" => &SYNCHRONIZE,
            "RunPodSandbox" | "PostUpdatePodSandbox" | "StopPodSandbox" | "RemovePodSandbox" => &ONE_POD,
            "UpdatePodSandbox" => &UPDATE_POD,
            "CreateContainer"
            | "PostCreateContainer"
            | "StartContainer"
            | "PostStartContainer"
            | "PostUpdateContainer"
            | "StopContainer"
            | "RemoveContainer" => &ONE_CONTAINER,
            "UpdateContainer" => &UPDATE_CONTAINER,
            "StateChange" => &STATE_CHANGE,
            "ValidateContainerAdjustment" => &VALIDATE,
            _ => &EMPTY,
        }
    }

    /// The approximate memory of the message `bytes`. For an invalid message, that of its valid beginning.
    pub(crate) fn weigh(&self, bytes: &[u8]) -> u64 {
        let mut weight = self.bytes;
        let mut rest = bytes;
        while let Some((number, content)) = next_field(&mut rest) {
            let part = self.parts.iter().find(|(known, _)| *known == number);
            weight += match (part, content) {
                (Some((_, part)), Some(content)) => part.weigh(content),
                _ if number > self.known => UNKNOWN + content.map_or(0, <[u8]>::len) as u64,
                (None, Some(content)) => TEXT + content.len() as u64,
                // The memory of a number in a list.
                (_, None) => 8,
            };
        }
        weight
    }
}

/// Removes the next field from a message: its number, and its bytes if it is delimited by its length. `None`
/// at the end, and at invalid bytes.
fn next_field<'b>(rest: &mut &'b [u8]) -> Option<(u64, Option<&'b [u8]>)> {
    let tag = varint(rest)?;
    let content = match tag & 7 {
        0 => varint(rest).map(|_| None)?,
        1 => take(rest, 8).map(|_| None)?,
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Some(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| None)?,
        _ => return None,
    };
    Some((tag >> 3, content))
}

/// Removes this many bytes from a message.
fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use protobuf::Message;
    use protobuf::reflect::{FileDescriptor, MessageDescriptor, RuntimeFieldType, RuntimeType};

    use super::*;

    /// Compares a shape, and all shapes in it, with its message.
    fn assert_complete(shape: &'static Shape, message: &MessageDescriptor, seen: &mut HashSet<String>) {
        if !seen.insert(message.full_name().to_owned()) {
            return;
        }
        let highest = message.fields().map(|field| field.number()).max().unwrap_or(0);
        assert_eq!(shape.known, highest as u64, "{message}");
        for field in message.fields() {
            let part = shape
                .parts
                .iter()
                .find(|(number, _)| *number == field.number() as u64);
            let part = part.map(|(_, part)| *part);
            match field.runtime_field_type() {
                RuntimeFieldType::Singular(RuntimeType::Message(inner))
                | RuntimeFieldType::Repeated(RuntimeType::Message(inner)) => {
                    assert_complete(part.unwrap_or_else(|| panic!("{message}.{field}")), &inner, seen);
                }
                RuntimeFieldType::Map(_, value) => {
                    let entry = part.unwrap_or_else(|| panic!("{message}.{field}"));
                    match value {
                        RuntimeType::Message(inner) => assert_complete(entry.parts[0].1, &inner, seen),
                        _ => assert!(entry.parts.is_empty(), "{message}.{field}"),
                    }
                }
                _ => assert!(part.is_none(), "{message}.{field}"),
            }
        }
    }

    #[test]
    fn the_shape_of_every_request_is_complete() {
        let seen = &mut HashSet::new();
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/proto");
        let parsed = protobuf_parse::Parser::new()
            .pure()
            .include(directory)
            .input(format!("{directory}/nri.proto"))
            .file_descriptor_set()
            .unwrap();
        let file = FileDescriptor::new_dynamic(parsed.file[0].clone(), &[]).unwrap();
        let plugin = file
            .services()
            .find(|service| service.proto().name() == "Plugin")
            .unwrap();
        for method in plugin.methods() {
            let (name, message) = (method.proto().name().to_owned(), method.input_type());
            assert_complete(Shape::of_request(&name), &message, seen);
        }
    }

    #[test]
    fn small_elements_are_estimated_by_their_memory_and_not_by_their_length() {
        let request = SynchronizeRequest {
            containers: vec![Container::new(); 1000],
            ..Default::default()
        };
        let bytes = request.write_to_bytes().unwrap();
        assert_eq!(bytes.len(), 2000);
        assert!(SYNCHRONIZE.weigh(&bytes) >= 1000 * size_of::<Container>() as u64);
        // 600 unknown fields, of 3 bytes each.
        let unknown: Vec<u8> = (0..600).flat_map(|_| [0xF8, 0x0F, 0]).collect();
        assert!(CONFIGURE.weigh(&unknown) >= 600 * UNKNOWN);
    }

    #[test]
    fn the_estimate_of_a_text_is_little_more_than_its_length() {
        let request = ConfigureRequest {
            config: "x".repeat(100_000),
            ..Default::default()
        };
        let weight = CONFIGURE.weigh(&request.write_to_bytes().unwrap());
        assert!((100_000..101_000).contains(&weight), "{weight}");
    }

    #[test]
    fn an_invalid_message_is_estimated_up_to_its_invalid_part() {
        for bytes in [
            &[0x0A, 0xFF][..],
            &[0xFF; 20],
            &[0x0B],
            &[0x09, 0, 0],
            &[0x0D, 0],
            &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        ] {
            assert_eq!(CONFIGURE.weigh(bytes), CONFIGURE.bytes);
        }
    }
}
