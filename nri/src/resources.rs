//! The setters of resources, which the adjustment of a new container and the update of an existing one share.

/// Declares the setters of resources for a builder that has `resources_mut`.
macro_rules! resource_setters {
    () => {
        /// Limits memory, in bytes.
        pub fn memory_limit(mut self, bytes: i64) -> Self {
            self.memory_mut().limit = OptionalValue::of(bytes);
            self
        }

        /// Sets the soft limit of memory, in bytes.
        pub fn memory_reservation(mut self, bytes: i64) -> Self {
            self.memory_mut().reservation = OptionalValue::of(bytes);
            self
        }

        /// Limits memory and swap together, in bytes.
        pub fn memory_swap_limit(mut self, bytes: i64) -> Self {
            self.memory_mut().swap = OptionalValue::of(bytes);
            self
        }

        /// Limits kernel memory, in bytes. Deprecated in Linux.
        pub fn memory_kernel_limit(mut self, bytes: i64) -> Self {
            self.memory_mut().kernel = OptionalValue::of(bytes);
            self
        }

        /// Limits the memory of TCP buffers, in bytes.
        pub fn memory_kernel_tcp_limit(mut self, bytes: i64) -> Self {
            self.memory_mut().kernel_tcp = OptionalValue::of(bytes);
            self
        }

        /// Sets the swappiness of the kernel, 0 to 100.
        pub fn memory_swappiness(mut self, swappiness: u64) -> Self {
            self.memory_mut().swappiness = OptionalValue::of(swappiness);
            self
        }

        /// Sets whether the kernel kills no process of the container when memory runs out.
        pub fn memory_disable_oom_killer(mut self, disable: bool) -> Self {
            self.memory_mut().disable_oom_killer = OptionalValue::of(disable);
            self
        }

        /// Sets whether memory limits count for the control groups below too.
        pub fn memory_use_hierarchy(mut self, use_hierarchy: bool) -> Self {
            self.memory_mut().use_hierarchy = OptionalValue::of(use_hierarchy);
            self
        }

        /// Sets the CPU shares.
        pub fn cpu_shares(mut self, shares: u64) -> Self {
            self.cpu_mut().shares = OptionalValue::of(shares);
            self
        }

        /// Limits CPU time to so many microseconds in each period.
        pub fn cpu_quota(mut self, micros: i64) -> Self {
            self.cpu_mut().quota = OptionalValue::of(micros);
            self
        }

        /// Sets the period of the CPU quota, in microseconds.
        pub fn cpu_period(mut self, micros: u64) -> Self {
            self.cpu_mut().period = OptionalValue::of(micros);
            self
        }

        /// Limits realtime scheduling to so many microseconds in each of its periods.
        pub fn cpu_realtime_runtime(mut self, micros: i64) -> Self {
            self.cpu_mut().realtime_runtime = OptionalValue::of(micros);
            self
        }

        /// Sets the period of realtime scheduling, in microseconds.
        pub fn cpu_realtime_period(mut self, micros: u64) -> Self {
            self.cpu_mut().realtime_period = OptionalValue::of(micros);
            self
        }

        /// Sets the CPUs the container may run on, for instance `0-3,7`.
        pub fn cpuset_cpus(mut self, cpus: impl Into<String>) -> Self {
            self.cpu_mut().cpus = cpus.into();
            self
        }

        /// Sets the memory nodes the container may use, for instance `0-1`.
        pub fn cpuset_mems(mut self, mems: impl Into<String>) -> Self {
            self.cpu_mut().mems = mems.into();
            self
        }

        /// Limits the number of tasks (NRI 0.7).
        pub fn pids_limit(mut self, limit: i64) -> Self {
            self.resources_mut().pids.mut_or_insert_default().limit = limit;
            self
        }

        /// Limits huge pages of one size, for instance `2MB`, in bytes.
        pub fn hugepage_limit(mut self, page_size: impl Into<String>, limit: u64) -> Self {
            let limit = api::HugepageLimit {
                page_size: page_size.into(),
                limit,
                ..Default::default()
            };
            self.resources_mut().hugepage_limits.push(limit);
            self
        }

        /// Sets the class of block I/O, as the runtime is configured.
        pub fn blockio_class(mut self, class: impl Into<String>) -> Self {
            self.resources_mut().blockio_class = OptionalValue::of(class.into());
            self
        }

        /// Sets the RDT class, as the runtime is configured.
        pub fn rdt_class(mut self, class: impl Into<String>) -> Self {
            self.resources_mut().rdt_class = OptionalValue::of(class.into());
            self
        }

        /// Sets a file of the unified cgroup hierarchy, for instance `memory.high`.
        pub fn unified(mut self, file: impl Into<String>, value: impl Into<String>) -> Self {
            self.resources_mut()
                .unified
                .insert(file.into(), value.into());
            self
        }

        /// The resources among the changes, for fields without a method here.
        pub fn resources_mut(&mut self) -> &mut api::LinuxResources {
            self.linux_mut().resources.mut_or_insert_default()
        }

        fn memory_mut(&mut self) -> &mut api::LinuxMemory {
            self.resources_mut().memory.mut_or_insert_default()
        }

        fn cpu_mut(&mut self) -> &mut api::LinuxCPU {
            self.resources_mut().cpu.mut_or_insert_default()
        }
    };
}

pub(crate) use resource_setters;
