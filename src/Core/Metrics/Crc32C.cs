namespace Rlhf.Core;

/// <summary>CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), and the masked form of TensorFlow's record files.</summary>
public static class Crc32C
{
    private static readonly uint[] Table = MakeTable();

    /// <summary>The checksum; the nine digits "123456789" give 0xE3069283.</summary>
    public static uint Of(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes) crc = Table[(byte)(crc ^ b)] ^ (crc >> 8);
        return ~crc;
    }

    /// <summary>Rotated right by 15 bits plus 0xA282EAD8, so that a checksum of data with checksums in it stays sound.</summary>
    public static uint Masked(ReadOnlySpan<byte> bytes) => unchecked(uint.RotateRight(Of(bytes), 15) + 0xA282EAD8u);

    private static uint[] MakeTable()
    {
        uint[] table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            uint value = i;
            for (int bit = 0; bit < 8; bit++) value = (value & 1) != 0 ? (value >> 1) ^ 0x82F63B78u : value >> 1;
            table[i] = value;
        }

        return table;
    }
}
