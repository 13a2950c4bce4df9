// Java: the AWS Advanced JDBC Wrapper with its IAM plugin; dependencies in pom.xml.
import java.sql.DriverManager;

public final class Main {
  public static void main(String[] arguments) throws Exception {
    // The URL holds host, user, plugins and the certificate authorities; the plugin signs a token for each new connection.
    try (var connection = DriverManager.getConnection(System.getenv("JDBC_URL"));
        var statement = connection.createStatement();
        var rows = statement.executeQuery("select current_user, version()")) {
      rows.next();
      System.out.println(rows.getString(1) + " " + rows.getString(2));
    }
  }
}
