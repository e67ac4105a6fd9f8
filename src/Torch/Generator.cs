namespace TorchSharp;

public static partial class torch
{
    /// <summary>Seeds the default generators of all devices.</summary>
    public static Generator manual_seed(long seed)
    {
        Native.Check(Native.tb_manual_seed(seed));
        return Generator.Default;
    }

    public static long initial_seed() => Generator.Default.initial_seed();

    /// <summary>The state of the CPU's default generator, as bytes.</summary>
    public static Tensor get_rng_state() => Generator.Default.get_state();

    public static void set_rng_state(Tensor new_state) => Generator.Default.set_state(new_state);

    /// <summary>A source of random numbers.</summary>
    public class Generator : IDisposable
    {
        private readonly GeneratorHandle _handle;

        public Generator(ulong seed = 0, Device? device = null)
            : this(new GeneratorHandle(Native.Check(Native.tb_new_generator((device ?? CPU).Packed, unchecked((long)seed)))), device ?? CPU)
        {
        }

        private Generator(GeneratorHandle handle, Device device)
        {
            _handle = handle;
            this.device = device;
        }

        public static Generator Default => new(new GeneratorHandle(Native.Check(Native.tb_default_generator(CPU.Packed))), CPU);

        public Device device { get; }

        public IntPtr Handle => _handle.IsClosed ? throw new ObjectDisposedException(nameof(Generator)) : _handle.DangerousGetHandle();

        public long initial_seed() => Native.tb_generator_initial_seed(Handle);

        public Generator manual_seed(long seed)
        {
            Native.Check(Native.tb_generator_seed(Handle, seed));
            return this;
        }

        public Tensor get_state() => new(Native.tb_generator_state(Handle));

        public void set_state(Tensor value) => Native.Check(Native.tb_set_generator_state(Handle, value.Handle));

        public void Dispose()
        {
            Dispose(true);
            GC.SuppressFinalize(this);
        }

        protected virtual void Dispose(bool disposing) => _handle.Dispose();
    }

    /// <summary>The CPU's default generator, as in <see cref="torch"/> itself.</summary>
    public static class random
    {
        public static Generator manual_seed(long seed) => torch.manual_seed(seed);

        public static long initial_seed() => torch.initial_seed();

        public static Tensor get_rng_state() => torch.get_rng_state();

        public static void set_rng_state(Tensor new_state) => torch.set_rng_state(new_state);
    }
}
